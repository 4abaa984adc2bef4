import { readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { DataError, type Shape, sizeOf } from "@gmc/core";
import { type DType, elementsOf, ITEM_BYTES, type NumericArray } from "./dtypes.ts";
import {
  decodeNpyHeader,
  NPY_PREFIX_BYTES,
  type NpyHeader,
  npyDataBytes,
  npyHeaderBytes,
  swapBytes,
} from "./npy-header.ts";

/** An npy file of which rows (slices along the first axis) are read by range; the rest stays on disk. */
export class NpyFile {
  readonly path: string;
  readonly dtype: DType;
  /** Of the whole array. */
  readonly shape: Shape;
  /** Length of the first axis. */
  readonly rows: number;
  /** Of one row, without the first axis. */
  readonly rowShape: Shape;
  /** Elements of one row. */
  readonly rowLength: number;
  readonly #handle: FileHandle;
  readonly #header: NpyHeader;
  readonly #rowBytes: number;

  constructor(path: string, handle: FileHandle, header: NpyHeader) {
    this.path = path;
    this.dtype = header.dtype;
    this.shape = header.shape;
    this.rows = header.shape[0] ?? 1;
    this.rowShape = header.shape.slice(1);
    this.rowLength = sizeOf(this.rowShape);
    this.#handle = handle;
    this.#header = header;
    this.#rowBytes = this.rowLength * ITEM_BYTES[header.dtype];
  }

  /**
   * Elements of the rows [start, end), row after row, in memory of their own; 16-bit floats as float32.
   *
   * @throws {RangeError} when the range is not within the file
   */
  async readRows(start: number, end: number): Promise<NumericArray> {
    const bytes = this.#allocate(start, end);
    const offset = this.#offset(start);
    let done = 0;
    while (done < bytes.byteLength) {
      const { bytesRead } = await this.#handle.read(bytes, done, bytes.byteLength - done, offset + done);
      if (bytesRead === 0) throw this.#cutShort();
      done += bytesRead;
    }
    return this.#elements(bytes);
  }

  /** The same, blocking: for threads that do nothing else (a small read takes microseconds, a promise more). */
  readRowsSync(start: number, end: number): NumericArray {
    const bytes = this.#allocate(start, end);
    const offset = this.#offset(start);
    let done = 0;
    while (done < bytes.byteLength) {
      const bytesRead = readSync(this.#handle.fd, bytes, done, bytes.byteLength - done, offset + done);
      if (bytesRead === 0) throw this.#cutShort();
      done += bytesRead;
    }
    return this.#elements(bytes);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  #allocate(start: number, end: number): Uint8Array {
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= this.rows)) {
      throw new RangeError(`${this.path}: rows [${start}, ${end}) asked for, it has ${this.rows}`);
    }
    return new Uint8Array((end - start) * this.#rowBytes);
  }

  #offset(row: number): number {
    return this.#header.dataOffset + row * this.#rowBytes;
  }

  #elements(bytes: Uint8Array): NumericArray {
    if (this.#header.bigEndian) swapBytes(bytes, this.dtype);
    return elementsOf(this.dtype, bytes);
  }

  #cutShort(): DataError {
    return new DataError(`${this.path} ended while it was read; was it changed?`, { path: this.path });
  }
}

/**
 * Opens an npy file for reading by range; close it.
 *
 * @throws {DataError} when it is missing, not npy, in Fortran order, or shorter than its shape says
 */
export async function openNpy(path: string): Promise<NpyFile> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw new DataError(`${path} cannot be opened: ${(cause as Error).message}`, { path }, { cause });
  });
  try {
    const prefix = new Uint8Array(NPY_PREFIX_BYTES);
    const { bytesRead } = await handle.read(prefix, 0, NPY_PREFIX_BYTES, 0);
    const head = new Uint8Array(npyHeaderBytes(prefix.subarray(0, bytesRead), path));
    const read = await handle.read(head, 0, head.byteLength, 0);
    const header = decodeNpyHeader(head.subarray(0, read.bytesRead), path);
    const expected = header.dataOffset + npyDataBytes(header);
    const { size } = await handle.stat();
    if (size < expected) {
      throw new DataError(
        `${path} is cut short: shape [${header.shape}] of ${header.dtype} needs ${expected} bytes, it has ${size}.`,
        { path, expected, size },
      );
    }
    return new NpyFile(path, handle, header);
  } catch (error) {
    await handle.close();
    throw error;
  }
}
