import type { Range } from "@gmc/core";
import { ALIGNMENT_WASM } from "./alignment.gen.ts";
import { CHUNK_SITES, chunksOf, LINE_BLOCK, type RayPlan } from "./ray-plan.ts";
import { openKernel } from "./web-assembly.ts";

/** Exports of `wat/alignment.mjs`, which documents them; addresses in bytes. */
interface Kernel {
  distances(x: number, panels: number, inverse: number, near: number, chunks: number, width: number): void;
  project(lines: number, panels: number, shadow: number, span: number, chunks: number, width: number): void;
  cast(
    place: number,
    shadow: number,
    span: number,
    lines: number,
    inverse: number,
    order: number,
    chunks: number,
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

const ORDER_BYTES = 24;
const SITE_BYTES = CHUNK_SITES * 8;
/** Sites between two looks at the cancel flag. */
const PATIENCE = 64;

/** Casts lines through sites: one a thread, reused from task to task. */
export class RayCaster {
  readonly #plan: RayPlan;
  readonly #chunks: number;
  readonly #kernel: Kernel;
  readonly #buffer: ArrayBuffer;
  readonly #at: Readonly<
    Record<"panels" | "lines" | "shadows" | "spans" | "near" | "inverse" | "order" | "hits", number>
  >;

  /** @throws {EnvironmentError} when the memory is not to be had */
  constructor(plan: RayPlan) {
    this.#plan = plan;
    this.#chunks = chunksOf(plan.sites);
    let end = 0;
    const area = (sizeBytes: number) => {
      const start = end;
      end += Math.ceil(sizeBytes / 64) * 64;
      return start;
    };
    this.#at = {
      panels: area(plan.panels.byteLength),
      lines: area(LINE_BLOCK * plan.dim * 8),
      shadows: area(LINE_BLOCK * this.#chunks * SITE_BYTES),
      spans: area(LINE_BLOCK * this.#chunks * 16),
      near: area(this.#chunks * 8),
      inverse: area(plan.group * this.#chunks * SITE_BYTES),
      order: area(plan.group * this.#chunks * ORDER_BYTES),
      hits: area(plan.group * this.#chunks * CHUNK_SITES * 2),
    };
    const { functions, buffer } = openKernel<Kernel>(ALIGNMENT_WASM, end);
    this.#kernel = functions;
    this.#buffer = buffer;
    new Float64Array(buffer, this.#at.panels, plan.panels.length).set(plan.panels);
  }

  /** Casts all lines through these sites; yields now and then, so that the caller can breathe. */
  *cast(sites: Range): Generator<void, CastRows | undefined> {
    const { control, rays } = this.#plan;
    this.#hits(sites.end - sites.start).fill(0);
    for (let site = sites.start; site < sites.end; site++) {
      this.#measure(site, site - sites.start);
      if (site % PATIENCE === 0) yield;
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
    const { dim, slack } = this.#plan;
    const { panels, near } = this.#at;
    const lane = site % CHUNK_SITES;
    const point = panels + ((site - lane) * dim + lane) * 8;
    const inverse = this.#inverseRow(row);
    this.#kernel.distances(point, panels, inverse, near, this.#chunks, dim);
    this.#coverFilling(inverse, near);
    const nearest = new Float64Array(this.#buffer, near, this.#chunks);
    const order = Uint32Array.from(nearest, (_, chunk) => chunk).sort(
      (a, b) => (nearest[b] ?? 0) - (nearest[a] ?? 0) || a - b,
    );
    const at = this.#at.order + row * this.#chunks * ORDER_BYTES;
    const bounds = new Float64Array(this.#buffer, at, order.length * 3);
    const offsets = new Uint32Array(this.#buffer, at, order.length * 6);
    order.forEach((chunk, place) => {
      const value = nearest[chunk] ?? 0;
      bounds[place * 3] = value;
      bounds[place * 3 + 1] = Math.sqrt(value) * (1 + 1e-12) + value * slack;
      offsets[place * 6 + 4] = chunk * 16;
      offsets[place * 6 + 5] = chunk * SITE_BYTES;
    });
  }

  /** The last chunk's copies of its first site are no sites: their places get 0, and the chunk's largest is taken anew. */
  #coverFilling(inverse: number, near: number): void {
    const { sites } = this.#plan;
    if (sites === this.#chunks * CHUNK_SITES) return;
    const start = (this.#chunks - 1) * CHUNK_SITES;
    const values = new Float64Array(this.#buffer, inverse, this.#chunks * CHUNK_SITES);
    values.fill(0, sites);
    new Float64Array(this.#buffer, near, this.#chunks)[this.#chunks - 1] = values.subarray(start).reduce((a, b) => Math.max(a, b));
  }

  /** Shadows of all sites on the block of lines that starts at `ray`; how many lines it has. */
  #project(ray: number): number {
    const { dim, rays, directions } = this.#plan;
    const lines = Math.min(LINE_BLOCK, rays - ray);
    const block = new Float64Array(this.#buffer, this.#at.lines, LINE_BLOCK * dim);
    block.fill(0);
    block.set(directions.subarray(ray * dim, (ray + lines) * dim));
    for (let line = 0; line < lines; line += 2) {
      this.#kernel.project(
        this.#at.lines + line * dim * 8,
        this.#at.panels,
        this.#at.shadows + line * this.#chunks * SITE_BYTES,
        this.#at.spans + line * this.#chunks * 16,
        this.#chunks,
        dim,
      );
    }
    return lines;
  }

  #castThrough(site: number, row: number, lines: number): number {
    return this.#kernel.cast(
      site * 8,
      this.#at.shadows,
      this.#at.spans,
      lines,
      this.#inverseRow(row),
      this.#at.order + row * this.#chunks * ORDER_BYTES,
      this.#chunks,
      this.#at.hits + row * this.#chunks * CHUNK_SITES * 2,
    );
  }

  #inverseRow(row: number): number {
    return this.#at.inverse + row * this.#chunks * SITE_BYTES;
  }

  #hits(rows: number): Uint16Array {
    return new Uint16Array(this.#buffer, this.#at.hits, rows * this.#chunks * CHUNK_SITES);
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
