import type { FileHandle } from "node:fs/promises";
import { DataError, type Shape, sizeOf } from "@gmc/core";
import { type DType, dtypeOf, elementsOf, ITEM_BYTES, type NpyArray, type NumericArray } from "@gmc/storage";
import type { PickleObject } from "./pickle.ts";
import { readAt } from "./zip-archive.ts";

/** Where a storage's elements lie; tensors are windows into it. */
export interface TorchStorage extends PickleObject {
  readonly kind: "storage";
  readonly dtype: DType;
  /** Filled in once the file says where it is. */
  place:
    | { readonly handle: FileHandle; readonly offset: number; readonly bytes: number; readonly bigEndian: boolean }
    | undefined;
}

/** A tensor in a PyTorch file; its elements stay on disk until they are read. */
export class TorchTensor implements PickleObject {
  readonly kind = "tensor";
  readonly path: string;
  /** Of the file; 16-bit floats are read as float32. */
  readonly dtype: DType;
  readonly shape: Shape;
  readonly #strides: readonly number[];
  readonly #offset: number;
  readonly #storage: TorchStorage;

  constructor(
    path: string,
    dtype: DType,
    shape: Shape,
    layout: { readonly strides: readonly number[]; readonly offset: number; readonly storage: TorchStorage },
  ) {
    this.path = path;
    this.dtype = dtype;
    this.shape = shape;
    this.#strides = layout.strides;
    this.#offset = layout.offset;
    this.#storage = layout.storage;
  }

  /** Elements of the slices [start, end) along the first axis, row-major, in memory of their own. */
  async readRows(start: number, end: number): Promise<NumericArray> {
    const [rows = 1, ...rowShape] = this.shape;
    if (this.shape.length === 0 || start < 0 || end > rows || start > end) {
      throw new RangeError(`${this.path}: rows [${start}, ${end}) of a tensor of shape [${this.shape}]`);
    }
    const first = this.#offset + start * (this.#strides[0] ?? 0);
    return this.#gather([end - start, ...rowShape], first);
  }

  /** The whole tensor, row-major. */
  async read(): Promise<NpyArray> {
    return { dtype: this.dtype, shape: this.shape, data: await this.#gather(this.shape, this.#offset) };
  }

  /** Elements of a block of this tensor's strides that starts at element `first` of the storage. */
  async #gather(shape: Shape, first: number): Promise<NumericArray> {
    const length = sizeOf(shape);
    if (length === 0) return elementsOf(this.dtype, new Uint8Array(0));
    const span = 1 + shape.reduce((sum, axis, i) => sum + (axis - 1) * (this.#strides[i] ?? 0), 0);
    const elements = await this.#readSpan(first, span);
    if (isContiguous(shape, this.#strides)) return elements;
    const gathered = elementsOf(dtypeOf(elements), new Uint8Array(length * elements.BYTES_PER_ELEMENT));
    const index = new Array<number>(shape.length).fill(0);
    let at = 0;
    for (let i = 0; i < length; i++) {
      gathered[i] = elements[at] as never; // both arrays are of one type
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        const stride = this.#strides[axis] ?? 0;
        index[axis] = (index[axis] ?? 0) + 1;
        at += stride;
        if ((index[axis] ?? 0) < (shape[axis] ?? 0)) break;
        at -= stride * (shape[axis] ?? 0);
        index[axis] = 0;
      }
    }
    return gathered;
  }

  async #readSpan(first: number, span: number): Promise<NumericArray> {
    const { place } = this.#storage;
    const size = ITEM_BYTES[this.dtype];
    if (!place)
      throw new DataError(`${this.path}: the elements of a tensor [${this.shape}] are missing.`, { path: this.path });
    if (first < 0 || (first + span) * size > place.bytes) {
      throw new DataError(
        `${this.path}: a tensor of shape [${this.shape}] reaches to element ${first + span} of a storage of ${place.bytes / size}.`,
        { path: this.path },
      );
    }
    const bytes = await readAt(place.handle, this.path, place.offset + first * size, span * size);
    if (place.bigEndian && size === 2) bytes.swap16();
    else if (place.bigEndian && size === 4) bytes.swap32();
    else if (place.bigEndian && size === 8) bytes.swap64();
    return elementsOf(this.dtype, bytes);
  }
}

function isContiguous(shape: Shape, strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis] ?? 1;
  }
  return true;
}
