import type { Shape } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import { type DType, elementsOf, ITEM_BYTES, type NpyArray, type NumericArray } from "@gmc/storage";
import { isObject, listOf, type PickleGlobal, type PickleObject, type PickleValue } from "./pickle.ts";

const DTYPES = new Map<string, DType>([
  ["f8", "float64"],
  ["f4", "float32"],
  ["f2", "float16"],
  ["i8", "int64"],
  ["i4", "int32"],
  ["i2", "int16"],
  ["i1", "int8"],
  ["u8", "uint64"],
  ["u4", "uint32"],
  ["u2", "uint16"],
  ["u1", "uint8"],
  ["b1", "bool"],
]);

class NumpyType implements PickleObject {
  readonly kind = "numpy type";
  readonly dtype: DType;
  bigEndian = false;

  constructor(code: string) {
    const dtype = DTYPES.get(code.replace(/^[<>=|]/, ""));
    if (!dtype) throw new TypeError(`numpy elements of type "${code}" are not supported`);
    this.dtype = dtype;
    this.bigEndian = code.startsWith(">");
  }

  setState(state: PickleValue): void {
    this.bigEndian = listOf(state)[1] === ">";
  }
}

/** A numpy array inside a pickle. */
export class PickledArray implements PickleObject, NpyArray {
  readonly kind = "array";
  dtype: DType = "float64";
  shape: Shape = [0];
  data: NumericArray = new Float64Array(0);

  setState(state: PickleValue): void {
    const [, shape, type, fortran, bytes] = listOf(state);
    this.fill(shape, type, bytes, fortran === true);
  }

  fill(
    shape: PickleValue | undefined,
    type: PickleValue | undefined,
    bytes: PickleValue | undefined,
    fortran: boolean,
  ): void {
    const lengths = listOf(shape).map(Number);
    if (fortran && lengths.length > 1) throw new TypeError("a numpy array is in Fortran order");
    const { dtype, data } = decode(type, bytes);
    if (sizeOf(lengths) !== data.length) throw new TypeError(`a numpy array [${lengths}] has ${data.length} elements`);
    this.dtype = dtype;
    this.shape = lengths;
    this.data = data;
  }
}

/** Numpy's arrays, scalars and types, as data. */
export const NUMPY_GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    global("numpy.dtype", ([code]) => new NumpyType(String(code))),
    global("numpy.ndarray"),
    ...["numpy.core", "numpy._core"].flatMap((core) => [
      global(`${core}.multiarray._reconstruct`, () => new PickledArray()),
      global(`${core}.multiarray.scalar`, ([type, bytes]) => {
        const value = decode(type, bytes).data[0] ?? 0;
        return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
      }),
      global(`${core}.numeric._frombuffer`, ([bytes, type, shape, order]) => {
        const array = new PickledArray();
        array.fill(shape, type, bytes, order === "F");
        return array;
      }),
    ]),
    global("_codecs.encode", ([text]) => new Uint8Array(Buffer.from(String(text), "latin1"))), // bytes, before protocol 3
  ].map((entry) => [entry.name, entry]),
);

function global(name: string, call?: (args: readonly PickleValue[]) => PickleValue): PickleGlobal {
  return { kind: "global", name, ...(call ? { call } : {}) };
}

function decode(type: PickleValue | undefined, bytes: PickleValue | undefined) {
  if (!isObject(type, "numpy type") || !(type instanceof NumpyType) || !(bytes instanceof Uint8Array)) {
    throw new TypeError("a numpy array lacks its type or its bytes");
  }
  const own = Buffer.from(new Uint8Array(bytes).buffer);
  const size = ITEM_BYTES[type.dtype];
  if (type.bigEndian && size === 2) own.swap16();
  else if (type.bigEndian && size === 4) own.swap32();
  else if (type.bigEndian && size === 8) own.swap64();
  return { dtype: type.dtype, data: elementsOf(type.dtype, own) };
}
