import { type Shape, ShapeError, sizeOf } from "@gmc/core";
import { type StagedFile, stageFile, writeAll } from "./atomic.ts";
import { bytesOf, type DType, dtypeOf, ITEM_BYTES, type NumericArray } from "./dtypes.ts";
import { encodeNpyHeader } from "./npy-header.ts";

const BUFFER_BYTES = 1 << 20;

/** An npy file written row after row, in constant memory; it appears at its path when it is finished. */
export class NpyWriter {
  readonly path: string;
  readonly dtype: DType;
  readonly rowShape: Shape;
  readonly #staged: StagedFile;
  readonly #rowLength: number;
  readonly #buffer: Uint8Array;
  #buffered = 0;
  #position: number;
  #rows = 0;

  constructor(path: string, dtype: DType, rowShape: Shape, staged: StagedFile, headerBytes: number) {
    this.path = path;
    this.dtype = dtype;
    this.rowShape = rowShape;
    this.#staged = staged;
    this.#rowLength = sizeOf(rowShape);
    this.#buffer = new Uint8Array(BUFFER_BYTES);
    this.#position = headerBytes;
  }

  /** Rows appended so far. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * Adds whole rows; the array may be reused once the promise is settled. Await it before the next call.
   *
   * @throws {ShapeError} when the elements are not whole rows
   * @throws {TypeError} when the array's element type is another than the file's
   */
  async append(rows: NumericArray): Promise<void> {
    const given = dtypeOf(rows);
    if (given !== this.dtype && !(this.dtype === "bool" && given === "uint8")) {
      throw new TypeError(`${this.path}: rows are ${this.dtype}, received ${given}`);
    }
    const count = this.#rowLength === 0 ? 0 : rows.length / this.#rowLength;
    if (!Number.isInteger(count)) throw new ShapeError(`${this.path}: append`, this.rowShape, [rows.length]);
    const bytes = bytesOf(rows);
    if (this.#buffered + bytes.byteLength > BUFFER_BYTES) await this.#flush();
    if (bytes.byteLength > BUFFER_BYTES) {
      await writeAll(this.#staged.handle, bytes, this.#position);
      this.#position += bytes.byteLength;
    } else {
      this.#buffer.set(bytes, this.#buffered);
      this.#buffered += bytes.byteLength;
    }
    this.#rows += count;
  }

  /** Writes the row count into the head and puts the file in its place. */
  async finish(): Promise<{ readonly rows: number; readonly bytes: number }> {
    await this.#flush();
    await writeAll(this.#staged.handle, encodeNpyHeader(this.dtype, [this.#rows, ...this.rowShape]), 0);
    await this.#staged.commit();
    return { rows: this.#rows, bytes: this.#position };
  }

  /** Drops an unfinished file; does nothing after `finish`. */
  close(): Promise<void> {
    return this.#staged.discard();
  }

  async #flush(): Promise<void> {
    await writeAll(this.#staged.handle, this.#buffer.subarray(0, this.#buffered), this.#position);
    this.#position += this.#buffered;
    this.#buffered = 0;
  }
}

/**
 * Starts an npy file of rows of one shape; call `finish`, or `close` to drop it.
 *
 * @param rowShape  shape of one row, `[]` for scalars
 */
export async function createNpy(path: string, dtype: DType, rowShape: Shape): Promise<NpyWriter> {
  if (ITEM_BYTES[dtype] === undefined) throw new TypeError(`createNpy: unknown element type ${dtype}`);
  const header = encodeNpyHeader(dtype, [0, ...rowShape]);
  return new NpyWriter(path, dtype, rowShape, await stageFile(path), header.byteLength);
}
