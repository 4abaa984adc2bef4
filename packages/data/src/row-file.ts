import type { StoredDType } from "./manifest.ts";
import { BYTES_PER_NUMBER, rowDecoder } from "./row-decoder.ts";
import type { RowPlan } from "./row-runs.ts";
import { planRuns } from "./row-runs.ts";

/** Where the rows of one tensor file lie and what their numbers mean. Plain data: it crosses threads. */
export interface RowFile {
  readonly path: string;
  readonly rows: number;
  /** Numbers in a row. */
  readonly width: number;
  readonly dtype: StoredDType;
  readonly scale: number;
  readonly offset: number;
  /** Byte at which row 0 starts. */
  readonly dataStart: number;
}

/** Fills `target` from byte `position` of the file: at once, or by the time the promise settles. */
export type ReadAt = (target: Uint8Array, position: number) => Promise<void> | void;

const MAX_READ_BYTES = 1 << 20; // one scratch buffer a file; larger calls gain nothing
const MAX_GAP_BYTES = 8192; // copying this much is cheaper than another call

/** Scattered rows of one open file, read in file order through one scratch buffer. */
export class RowReader {
  readonly #file: RowFile;
  readonly #readAt: ReadAt;
  readonly #rowBytes: number;
  readonly #scratch: Uint8Array;
  readonly #decode: ReturnType<typeof rowDecoder>;

  constructor(file: RowFile, readAt: ReadAt) {
    this.#file = file;
    this.#readAt = readAt;
    this.#rowBytes = file.width * BYTES_PER_NUMBER[file.dtype];
    this.#scratch = new Uint8Array(Math.max(this.#rowBytes, Math.min(MAX_READ_BYTES, file.rows * this.#rowBytes)));
    this.#decode = rowDecoder(this.#scratch, file.dtype, file.scale, file.offset);
  }

  /**
   * Row `indices[i]` as values to `out[i · width]` and after. One call at a time: the scratch buffer is shared.
   *
   * @throws {RangeError} when an index is not a row of the file, or `out` is too short
   */
  async read(indices: Uint32Array, out: Float32Array): Promise<void> {
    const { path, rows, width } = this.#file;
    const bad = indices.find((index) => index >= rows);
    if (bad !== undefined) throw new RangeError(`${path} has rows 0 to ${rows - 1}, asked for row ${bad}`);
    if (out.length < indices.length * width) {
      throw new RangeError(`${path}: ${indices.length} rows of ${width} numbers do not fit ${out.length}`);
    }
    const maxRows = Math.max(1, Math.floor(this.#scratch.byteLength / this.#rowBytes));
    await this.#readRuns(planRuns(indices, Math.floor(MAX_GAP_BYTES / this.#rowBytes), maxRows), indices, out);
  }

  async #readRuns({ places, runs }: RowPlan, indices: Uint32Array, out: Float32Array): Promise<void> {
    const { width, dataStart } = this.#file;
    for (const { firstRow, rows, from, to } of runs) {
      const target = this.#scratch.subarray(0, rows * this.#rowBytes);
      const pending = this.#readAt(target, dataStart + firstRow * this.#rowBytes);
      if (pending) await pending; // a synchronous reader costs no turn of the event loop
      for (let i = from; i < to; i++) {
        const place = places[i] ?? 0;
        this.#decode(((indices[place] ?? 0) - firstRow) * width, width, out, place * width);
      }
    }
  }
}
