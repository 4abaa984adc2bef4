/** Element types of tensor files. The two 16-bit floats are read only: their values come as float32. */
export type DType =
  | "float64"
  | "float32"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint64"
  | "uint32"
  | "uint16"
  | "uint8"
  | "bool";

/** Arrays that hold tensor elements in memory; `int64` and `uint64` come as their big-integer arrays, `bool` as bytes 0 and 1. */
export type NumericArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | BigUint64Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

/** Bytes of one element in a file. */
export const ITEM_BYTES: Readonly<Record<DType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint64: 8,
  uint32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
};

/** The element type a file gets for an array, when none is named. */
export function dtypeOf(data: NumericArray): DType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Uint8Array) return "uint8";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof BigInt64Array) return "int64";
  if (data instanceof Int16Array) return "int16";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof BigUint64Array) return "uint64";
  if (data instanceof Uint32Array) return "uint32";
  return "uint16";
}

/** The array's own memory as bytes, little-endian on every platform we run on; writing one writes the other. */
export const bytesOf = (data: NumericArray): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/**
 * The elements that little-endian `bytes` hold: a view into them where their memory is aligned, else a copy;
 * 16-bit floats as float32.
 *
 * @throws {RangeError} when the bytes are not whole elements
 */
export function elementsOf(dtype: DType, bytes: Uint8Array): NumericArray {
  const size = ITEM_BYTES[dtype];
  if (bytes.byteLength % size !== 0) {
    throw new RangeError(`elementsOf: ${bytes.byteLength} bytes are not whole ${dtype} elements of ${size}`);
  }
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes); // a Buffer's slice is no copy
  const { buffer, byteOffset } = aligned;
  const length = bytes.byteLength / size;
  switch (dtype) {
    case "float64":
      return new Float64Array(buffer, byteOffset, length);
    case "float32":
      return new Float32Array(buffer, byteOffset, length);
    case "float16":
      return float16ToFloat32(new Uint16Array(buffer, byteOffset, length));
    case "bfloat16":
      return bfloat16ToFloat32(new Uint16Array(buffer, byteOffset, length));
    case "int64":
      return new BigInt64Array(buffer, byteOffset, length);
    case "int32":
      return new Int32Array(buffer, byteOffset, length);
    case "int16":
      return new Int16Array(buffer, byteOffset, length);
    case "int8":
      return new Int8Array(buffer, byteOffset, length);
    case "uint64":
      return new BigUint64Array(buffer, byteOffset, length);
    case "uint32":
      return new Uint32Array(buffer, byteOffset, length);
    case "uint16":
      return new Uint16Array(buffer, byteOffset, length);
    case "uint8":
    case "bool":
      return new Uint8Array(buffer, byteOffset, length);
    default:
      return dtype satisfies never;
  }
}

/** Values of IEEE 754 half floats given as their bits; exact. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i] ?? 0;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    let magnitude: number;
    if (exponent === 0)
      magnitude = fraction / 16777216; // subnormal: fraction · 2^-24
    else if (exponent === 31) magnitude = fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    else magnitude = (1 + fraction / 1024) * (exponent < 15 ? 1 / (1 << (15 - exponent)) : 1 << (exponent - 15));
    values[i] = half & 0x8000 ? -magnitude : magnitude;
  }
  return values;
}

/** Values of bfloat16 numbers given as their bits, which are the upper halves of float32 numbers; exact. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] ?? 0) << 16;
  return new Float32Array(words.buffer);
}

/**
 * The elements as float32: the array itself when it already is, else a rounded copy (big integers through float64).
 */
export function toFloat32(data: NumericArray): Float32Array {
  if (data instanceof Float32Array) return data;
  if (!(data instanceof BigInt64Array || data instanceof BigUint64Array)) return Float32Array.from(data);
  const values = new Float32Array(data.length);
  for (let i = 0; i < values.length; i++) values[i] = Number(data[i]);
  return values;
}
