import type { Range } from "@gmc/core";
import { CONTRASTIVE_WASM } from "./contrastive.gen.ts";
import { allocateMemory, instantiate } from "./web-assembly.ts";

/** Exports of `wat/contrastive.mjs`, which documents them; addresses and strides in bytes. */
interface ContrastiveFunctions {
  pack(z: number, panels: number, slices: number, batch: number, width: number, sliceBytes: number): void;
  promote(z: number, own: number, count: number): void;
  product(
    a: number,
    aRow: number,
    b: number,
    bGroup: number,
    c: number,
    cRow: number,
    pairs: number,
    groups: number,
    depth: number,
    keep: number,
  ): void;
  extendLogSumExp(
    tile: number,
    rows: number,
    columns: number,
    inverseTemperature: number,
    largest: number,
    total: number,
  ): void;
  weigh(tile: number, rows: number, columns: number, inverseTemperature: number, own: number, other: number): void;
  exp(x: number): number;
  log(x: number): number;
}

/** A block of similarities: the range's rows of one set against every row of `set`; a row meets itself or its pair there. */
export interface Columns {
  readonly set: number;
  /** True to leave out column i of row i. */
  readonly skipSame: boolean;
}

const TILE_ROWS = 16;
const TILE_COLUMNS = 64;
const TILE_ROW_BYTES = TILE_COLUMNS * 8;
/** Stands for "not a column": far below any similarity, far from overflow when it is scaled. */
const ABSENT = -1e300;

/**
 * Tiled products over [sets, B, d] embeddings: log-sum-exp of similarities and similarity-weighted sums of rows, without
 * ever holding more than one tile of similarities. Column tiles start at multiples of 64 and every sum runs over the
 * columns in order, so a row's result does not depend on which other rows are asked for.
 */
export class SimilarityKernel {
  readonly #shape: { readonly sets: number; readonly batch: number; readonly dim: number };
  readonly #inverseTemperature: number;
  readonly #functions: ContrastiveFunctions;
  /** Byte addresses of the areas and strides between their parts; see wat/contrastive.mjs. */
  readonly #at: Readonly<
    Record<"z" | "panels" | "slices" | "own" | "tile" | "largest" | "total" | "other" | "sum", number>
  >;
  readonly #stride: Readonly<Record<"panelSet" | "sliceSet" | "slice" | "panel" | "sumRow", number>>;
  readonly #z: Float32Array;
  readonly #tile: Float64Array;
  readonly #largest: Float64Array;
  readonly #total: Float64Array;
  readonly #other: Float64Array;
  readonly #sum: Float64Array;

  /** @throws {EnvironmentError} when the memory is not to be had */
  constructor(sets: number, batch: number, dim: number, temperature: number) {
    this.#shape = { sets, batch, dim };
    this.#inverseTemperature = 1 / temperature;
    const batch8 = roundUp(batch, 8);
    const dim8 = roundUp(dim, 8);
    this.#stride = {
      panel: dim * 64,
      panelSet: batch8 * dim * 8,
      slice: batch8 * 64,
      sliceSet: batch8 * dim8 * 8,
      sumRow: dim8 * 8,
    };
    let end = 0;
    const area = (sizeBytes: number) => {
      const start = end;
      end += roundUp(sizeBytes, 64);
      return start;
    };
    this.#at = {
      z: area(sets * batch * dim * 4),
      panels: area(sets * this.#stride.panelSet),
      slices: area(sets * this.#stride.sliceSet),
      own: area(TILE_ROWS * dim * 8),
      tile: area(TILE_ROWS * TILE_ROW_BYTES),
      largest: area(batch * 8), // in `gradient` the rows' own normalisers
      total: area(batch * 8),
      other: area(batch8 * 8),
      sum: area((batch + 1) * this.#stride.sumRow), // rows come in pairs: one more for the odd one out
    };
    const memory = allocateMemory(`A contrastive loss over [${sets}, ${batch}, ${dim}] embeddings`, end);
    this.#functions = instantiate(CONTRASTIVE_WASM, memory);
    this.#z = new Float32Array(memory.buffer, this.#at.z, sets * batch * dim);
    this.#tile = new Float64Array(memory.buffer, this.#at.tile, TILE_ROWS * TILE_COLUMNS);
    this.#largest = new Float64Array(memory.buffer, this.#at.largest, batch);
    this.#total = new Float64Array(memory.buffer, this.#at.total, batch);
    this.#other = new Float64Array(memory.buffer, this.#at.other, batch8);
    this.#sum = new Float64Array(memory.buffer, this.#at.sum, (batch + 1) * dim8);
  }

  /** Takes a copy of all embeddings. @param z [sets, B, d] */
  load(z: Float32Array): void {
    const { sets, batch, dim } = this.#shape;
    this.#z.set(z);
    for (let set = 0; set < sets; set++) {
      this.#functions.pack(
        this.#at.z + set * batch * dim * 4,
        this.#at.panels + set * this.#stride.panelSet,
        this.#at.slices + set * this.#stride.sliceSet,
        batch,
        dim,
        this.#stride.slice,
      );
    }
  }

  /** [rows] log Σ exp(similarity / τ) of the range's rows of `anchor` over all rows of all `blocks`. */
  logSumExp(anchor: number, blocks: readonly Columns[], rows: Range): Float64Array {
    const count = rows.end - rows.start;
    this.#largest.fill(ABSENT, 0, count);
    this.#total.fill(0, 0, count);
    for (let row = rows.start; row < rows.end; row += TILE_ROWS) {
      const tileRows = Math.min(TILE_ROWS, rows.end - row);
      this.#openRows(anchor, row, tileRows);
      for (const block of blocks) this.#extendRows(block, row, tileRows, row - rows.start);
    }
    const result = new Float64Array(count);
    for (let i = 0; i < count; i++) result[i] = (this.#largest[i] ?? 0) + this.log(this.#total[i] ?? 0);
    return result;
  }

  /** Starts new weighted sums for `count` rows. */
  clearSums(count: number): void {
    this.#sum.fill(0, 0, count * (this.#stride.sumRow / 8));
  }

  /**
   * Adds Σ_j [exp(s_ij/τ - own_i) + exp(s_ij/τ - other_j)] z_j to the sum of every row i of the range.
   *
   * @param own    [rows] of the range's rows; `NEVER` drops the term
   * @param other  [B] of the block's rows; `NEVER` drops the term
   */
  addWeighted(anchor: number, block: Columns, own: Float64Array, other: Float64Array, rows: Range): void {
    this.#largest.set(own);
    this.#other.set(other);
    for (let row = rows.start; row < rows.end; row += TILE_ROWS) {
      const tileRows = Math.min(TILE_ROWS, rows.end - row);
      this.#openRows(anchor, row, tileRows);
      this.#addRows(block, row, tileRows, row - rows.start);
    }
  }

  /** [count, stride] sums since `clearSums`, a view; each row's first d numbers count. */
  get sums(): { readonly values: Float64Array; readonly stride: number } {
    return { values: this.#sum, stride: this.#stride.sumRow / 8 };
  }

  /** The loaded embeddings, [sets, B, d]: a view. */
  get embeddings(): Float32Array {
    return this.#z;
  }

  /** z_a · z_b / τ of row `row` of two sets. */
  similarity(setA: number, setB: number, row: number): number {
    const { batch, dim } = this.#shape;
    const a = (setA * batch + row) * dim;
    const b = (setB * batch + row) * dim;
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += (this.#z[a + k] ?? 0) * (this.#z[b + k] ?? 0);
    return sum * this.#inverseTemperature;
  }

  exp(x: number): number {
    return this.#functions.exp(x);
  }

  log(x: number): number {
    return this.#functions.log(x);
  }

  #openRows(anchor: number, row: number, tileRows: number): void {
    const { batch, dim } = this.#shape;
    this.#functions.promote(this.#at.z + (anchor * batch + row) * dim * 4, this.#at.own, tileRows * dim);
  }

  #extendRows(block: Columns, row: number, tileRows: number, place: number): void {
    const { batch } = this.#shape;
    for (let column = 0; column < batch; column += TILE_COLUMNS) {
      const width = roundUp(Math.min(TILE_COLUMNS, batch - column), 8);
      this.#similarities(block.set, column, width, tileRows);
      this.#cover(block, row, column, width, tileRows, ABSENT);
      this.#functions.extendLogSumExp(
        this.#at.tile,
        tileRows,
        width,
        this.#inverseTemperature,
        this.#at.largest + place * 8,
        this.#at.total + place * 8,
      );
    }
  }

  #addRows(block: Columns, row: number, tileRows: number, place: number): void {
    const { batch, dim } = this.#shape;
    for (let column = 0; column < batch; column += TILE_COLUMNS) {
      const width = roundUp(Math.min(TILE_COLUMNS, batch - column), 8);
      this.#similarities(block.set, column, width, tileRows);
      this.#functions.weigh(
        this.#at.tile,
        tileRows,
        width,
        this.#inverseTemperature,
        this.#at.largest + place * 8,
        this.#at.other + column * 8,
      );
      this.#cover(block, row, column, width, tileRows, 0);
      this.#functions.product(
        this.#at.tile,
        TILE_ROW_BYTES,
        this.#at.slices + block.set * this.#stride.sliceSet + column * 64,
        this.#stride.slice,
        this.#at.sum + place * this.#stride.sumRow,
        this.#stride.sumRow,
        Math.ceil(tileRows / 2),
        Math.ceil(dim / 8),
        width,
        1,
      );
    }
  }

  /** tile = own rows × these columns. */
  #similarities(set: number, column: number, width: number, tileRows: number): void {
    const { dim } = this.#shape;
    this.#functions.product(
      this.#at.own,
      dim * 8,
      this.#at.panels + set * this.#stride.panelSet + (column / 8) * this.#stride.panel,
      this.#stride.panel,
      this.#at.tile,
      TILE_ROW_BYTES,
      Math.ceil(tileRows / 2),
      width / 8,
      dim,
      0,
    );
  }

  /** Writes `value` where the tile has no column: beyond the batch and, when they are skipped, on the rows' own places. */
  #cover(block: Columns, row: number, column: number, width: number, tileRows: number, value: number): void {
    const valid = this.#shape.batch - column;
    for (let r = 0; r < tileRows; r++) {
      const start = r * TILE_COLUMNS;
      if (valid < width) this.#tile.fill(value, start + valid, start + width);
      const same = row + r - column;
      if (block.skipSame && same >= 0 && same < width) this.#tile[start + same] = value;
    }
  }
}

/** A normaliser that makes its term vanish: exp(s/τ - NEVER) is below 1e-260. */
export const NEVER = 1e300;

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;
