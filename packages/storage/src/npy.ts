import { DataError, type Shape, ShapeError, sizeOf } from "@gmc/core";
import { bytesOf, type DType, dtypeOf, elementsOf, type NumericArray } from "./dtypes.ts";
import { decodeNpyHeader, encodeNpyHeader, npyDataBytes, swapBytes } from "./npy-header.ts";

/** An array in memory with its shape; `dtype` is the one of the file (16-bit floats are widened to float32). */
export interface NpyArray {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: NumericArray;
}

/**
 * A whole npy file (version 1.0, C order) in memory.
 *
 * @param dtype  the element type written; only `bool` for bytes differs from the array's own
 * @throws {ShapeError} when the shape does not hold as many elements as `data`
 */
export function encodeNpy(data: NumericArray, shape: Shape, dtype: DType = dtypeOf(data)): Uint8Array {
  if (sizeOf(shape) !== data.length) throw new ShapeError("encodeNpy", shape, [data.length]);
  if (dtype !== dtypeOf(data) && !(dtype === "bool" && data instanceof Uint8Array)) {
    throw new TypeError(`encodeNpy: a ${dtypeOf(data)} array cannot be written as ${dtype}`);
  }
  const header = encodeNpyHeader(dtype, shape);
  const file = new Uint8Array(header.byteLength + data.byteLength);
  file.set(header);
  file.set(bytesOf(data), header.byteLength);
  return file;
}

/**
 * The array of a whole npy file.
 *
 * @param name  the file, for messages
 * @throws {DataError} when it is not npy, is cut short, or holds elements that are not numbers
 */
export function decodeNpy(bytes: Uint8Array, name = "npy data"): NpyArray {
  const header = decodeNpyHeader(bytes, name);
  const length = npyDataBytes(header);
  if (bytes.byteLength - header.dataOffset < length) {
    const has = bytes.byteLength - header.dataOffset;
    throw new DataError(`${name} is cut short: shape [${header.shape}] needs ${length} bytes, ${has} are there.`, {
      path: name,
    });
  }
  const own = new Uint8Array(bytes.subarray(header.dataOffset, header.dataOffset + length)); // a Buffer's slice would be a view
  if (header.bigEndian) swapBytes(own, header.dtype);
  return { dtype: header.dtype, shape: header.shape, data: elementsOf(header.dtype, own) };
}
