import type { Range } from "@gmc/core";
import { ALIGNMENT_WASM } from "./alignment.gen.ts";
import { BLOCK_CHUNKS, chunkOrder } from "./chunk-order.ts";
import { CHUNK_SITES, chunksOf, LINE_BLOCK, panelOf, type RayPlan } from "./ray-plan.ts";
import { openKernel } from "./web-assembly.ts";

/** Exports of `wat/alignment.mjs`, which documents them; addresses in bytes. */
interface Kernel {
  distances(x: number, panels: number, inverse: number, near: number, chunks: number, width: number): void;
  project(
    lines: number,
    panels: number,
    shadow: number,
    span: number,
    spanBytes: number,
    chunks: number,
    width: number,
  ): void;
  widen(span: number, wide: number, blocks: number): void;
  cast(
    place: number,
    shadow: number,
    shadowBytes: number,
    span: number,
    wide: number,
    lines: number,
    inverse: number,
    blocks: number,
    order: number,
    count: number,
    hits: number,
  ): number;
}

/** What the lines through some sites met. */
export interface CastRows {
  readonly start: number;
  readonly end: number;
  /** [end - start, ceil(sites / 32)] one bit for every site that a line met first. */
  readonly bits: Uint32Array;
  /** [end - start, sites] how often, when they are counted. */
  readonly hits?: Uint16Array;
  /** Pairs (line and site, other site) that were evaluated; fillings of the last chunk count. */
  readonly evaluated: number;
}

const CHUNK_BYTES = CHUNK_SITES * 8;
/** Sites between two looks at the cancel flag. */
const PATIENCE = 64;

/** Casts lines through sites: one a thread, reused from task to task. */
export class RayCaster {
  readonly #plan: RayPlan;
  /** Chunks, and blocks of 8 of them. */
  readonly #chunks: number;
  readonly #blocks: number;
  readonly #kernel: Kernel;
  readonly #buffer: ArrayBuffer;
  /** Byte addresses of the areas, see wat/alignment.mjs, and of one row in those that have rows. */
  readonly #at: Readonly<
    Record<
      "panels" | "lines" | "shadows" | "spans" | "wide" | "near" | "inverse" | "blocks" | "order" | "hits",
      (row?: number) => number
    >
  >;

  /** @throws {EnvironmentError} when the memory is not to be had */
  constructor(plan: RayPlan) {
    this.#plan = plan;
    const chunks = chunksOf(plan.sites);
    const blocks = Math.ceil(chunks / BLOCK_CHUNKS);
    let end = 0;
    const area = (rows: number, rowBytes: number) => {
      const start = end;
      end += Math.ceil((rows * rowBytes) / 64) * 64;
      return (row = 0) => start + row * rowBytes;
    };
    this.#at = {
      panels: area(1, plan.panels.byteLength),
      lines: area(LINE_BLOCK, plan.dim * 8),
      shadows: area(LINE_BLOCK, chunks * CHUNK_BYTES),
      spans: area(LINE_BLOCK, blocks * BLOCK_CHUNKS * 16),
      wide: area(LINE_BLOCK, (blocks + 1) * 16),
      near: area(1, chunks * 8),
      inverse: area(plan.group, chunks * CHUNK_BYTES),
      blocks: area(plan.group, blocks * 16),
      order: area(plan.group, blocks * BLOCK_CHUNKS * 16),
      hits: area(plan.group, chunks * CHUNK_SITES * 2),
    };
    this.#chunks = chunks;
    this.#blocks = blocks;
    const { functions, buffer } = openKernel<Kernel>(ALIGNMENT_WASM, end);
    this.#kernel = functions;
    this.#buffer = buffer;
    this.#floats(this.#at.panels(), plan.panels.length).set(plan.panels);
    this.#floats(this.#at.spans(), LINE_BLOCK * blocks * BLOCK_CHUNKS * 2).fill(Number.NEGATIVE_INFINITY);
  }

  /** Casts all lines through these sites; yields now and then, so that the caller can breathe. Undefined: cancelled. */
  *cast(sites: Range): Generator<void, CastRows | undefined> {
    const { control, rays } = this.#plan;
    this.#hits(sites.end - sites.start).fill(0);
    for (let site = sites.start; site < sites.end; site++) {
      this.#measure(site, site - sites.start);
      if (site % PATIENCE !== 0) continue;
      yield;
      if (Atomics.load(control, 0) !== 0) return undefined;
    }
    let looked = 0;
    for (let ray = 0; ray < rays; ray += LINE_BLOCK) {
      const lines = this.#project(ray);
      for (let site = sites.start; site < sites.end; site++) {
        looked += this.#castThrough(site, site - sites.start, lines);
        if (site % PATIENCE !== 0) continue;
        yield;
        if (Atomics.load(control, 0) !== 0) return undefined;
      }
      Atomics.add(control, 1, sites.end - sites.start);
    }
    return this.#rows(sites, looked * CHUNK_SITES);
  }

  /** Distances from a site, and the chunks in order of them. */
  #measure(site: number, row: number): void {
    const { dim, sites } = this.#plan;
    const point = this.#at.panels() + panelOf(site, dim) * 8;
    const inverse = this.#at.inverse(row);
    this.#kernel.distances(point, this.#at.panels(), inverse, this.#at.near(), this.#chunks, dim);
    const near = this.#floats(this.#at.near(), this.#chunks);
    coverFilling(this.#floats(inverse, this.#chunks * CHUNK_SITES), near, sites);
    const order = chunkOrder(near);
    this.#floats(this.#at.blocks(row), order.blocks.length).set(order.blocks);
    this.#floats(this.#at.order(row), order.chunks.length).set(order.chunks);
  }

  /** Shadows of all sites on the block of lines that starts at `ray`; how many lines it has. */
  #project(ray: number): number {
    const { dim, rays, directions } = this.#plan;
    const lines = Math.min(LINE_BLOCK, rays - ray);
    const block = this.#floats(this.#at.lines(), LINE_BLOCK * dim);
    block.fill(0);
    block.set(directions.subarray(ray * dim, (ray + lines) * dim));
    const spanBytes = this.#blocks * BLOCK_CHUNKS * 16;
    for (let line = 0; line < lines; line += 2) {
      this.#kernel.project(
        this.#at.lines(line),
        this.#at.panels(),
        this.#at.shadows(line),
        this.#at.spans(line),
        spanBytes,
        this.#chunks,
        dim,
      );
    }
    for (let line = 0; line < lines; line++) {
      this.#kernel.widen(this.#at.spans(line), this.#at.wide(line), this.#blocks);
    }
    return lines;
  }

  #castThrough(site: number, row: number, lines: number): number {
    return this.#kernel.cast(
      site * 8,
      this.#at.shadows(),
      this.#chunks * CHUNK_BYTES,
      this.#at.spans(),
      this.#at.wide(),
      lines,
      this.#at.inverse(row),
      this.#at.blocks(row),
      this.#at.order(row),
      this.#blocks,
      this.#at.hits(row),
    );
  }

  #floats(at: number, length: number): Float64Array {
    return new Float64Array(this.#buffer, at, length);
  }

  #hits(rows: number): Uint16Array {
    return new Uint16Array(this.#buffer, this.#at.hits(), rows * this.#chunks * CHUNK_SITES);
  }

  #rows(range: Range, evaluated: number): CastRows {
    const { sites, counted } = this.#plan;
    const rows = range.end - range.start;
    const width = this.#chunks * CHUNK_SITES;
    const words = Math.ceil(sites / 32);
    const all = this.#hits(rows);
    const bits = new Uint32Array(rows * words);
    for (let row = 0; row < rows; row++) {
      for (let site = 0; site < sites; site++) {
        if (all[row * width + site] === 0) continue;
        const word = row * words + (site >>> 5);
        bits[word] = (bits[word] ?? 0) | (1 << (site & 31));
      }
    }
    if (!counted) return { ...range, bits, evaluated };
    const hits = new Uint16Array(rows * sites);
    for (let row = 0; row < rows; row++) hits.set(all.subarray(row * width, row * width + sites), row * sites);
    return { ...range, bits, hits, evaluated };
  }
}

/** The last chunk's copies of its first site are no sites: their places get 0, and the chunk's largest is taken anew. */
function coverFilling(inverse: Float64Array, near: Float64Array, sites: number): void {
  if (sites === inverse.length) return;
  inverse.fill(0, sites);
  near[near.length - 1] = inverse.subarray((near.length - 1) * CHUNK_SITES).reduce((a, b) => Math.max(a, b));
}
