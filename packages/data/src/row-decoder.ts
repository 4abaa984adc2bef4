import type { StoredDType } from "./manifest.ts";

/** Bytes of one number of each type. */
export const BYTES_PER_NUMBER: Readonly<Record<StoredDType, number>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  int32: 4,
  float32: 4,
  float64: 8,
};

type StoredArray = Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** Numbers `first` … `first + count - 1` of what was read, as values v·scale + offset, to `out[at]` and after. */
export type RowDecoder = (first: number, count: number, out: Float32Array, at: number) => void;

/**
 * Decoder of the numbers in `bytes`, which may be refilled between calls.
 *
 * @param bytes  a buffer that starts at a multiple of the number's size in its ArrayBuffer
 */
export function rowDecoder(bytes: Uint8Array, dtype: StoredDType, scale: number, offset: number): RowDecoder {
  if (dtype === "uint8") return byteDecoder(bytes, scale, offset);
  const stored = storedArray(bytes, dtype);
  if (stored instanceof Float32Array && scale === 1 && offset === 0) {
    return (first, count, out, at) => out.set(stored.subarray(first, first + count), at);
  }
  return (first, count, out, at) => {
    for (let i = 0; i < count; i++) out[at + i] = (stored[first + i] ?? 0) * scale + offset;
  };
}

/** Bytes by table: 256 values are worked out once. */
function byteDecoder(bytes: Uint8Array, scale: number, offset: number): RowDecoder {
  const values = Float32Array.from({ length: 256 }, (_, v) => v * scale + offset);
  return (first, count, out, at) => {
    for (let i = 0; i < count; i++) out[at + i] = values[bytes[first + i] ?? 0] ?? 0;
  };
}

/** The bytes seen as numbers of that type. */
export function storedArray(bytes: Uint8Array, dtype: StoredDType): StoredArray {
  const { buffer, byteOffset } = bytes;
  const length = Math.floor(bytes.byteLength / BYTES_PER_NUMBER[dtype]);
  switch (dtype) {
    case "uint8":
      return new Uint8Array(buffer, byteOffset, length);
    case "int8":
      return new Int8Array(buffer, byteOffset, length);
    case "uint16":
      return new Uint16Array(buffer, byteOffset, length);
    case "int16":
      return new Int16Array(buffer, byteOffset, length);
    case "int32":
      return new Int32Array(buffer, byteOffset, length);
    case "float32":
      return new Float32Array(buffer, byteOffset, length);
    case "float64":
      return new Float64Array(buffer, byteOffset, length);
    default:
      return dtype satisfies never;
  }
}
