import { DataError, type Shape, sizeOf } from "@gmc/core";
import { type DType, ITEM_BYTES } from "./dtypes.ts";

/** What the head of an npy file says. */
export interface NpyHeader {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly bigEndian: boolean;
  /** Where the elements start, in bytes. */
  readonly dataOffset: number;
}

const MAGIC = "\x93NUMPY";
/** Bytes that tell how long the head is: magic, version, length. */
export const NPY_PREFIX_BYTES = 12;
const ALIGNMENT = 64;
/** Digits kept free for the row count, as numpy does, so that it can be patched in place. */
const ROW_DIGITS = 21;

const DESCRIPTIONS: Readonly<Record<string, DType>> = {
  f8: "float64",
  f4: "float32",
  f2: "float16",
  i8: "int64",
  i4: "int32",
  i2: "int16",
  i1: "int8",
  u8: "uint64",
  u4: "uint32",
  u2: "uint16",
  u1: "uint8",
  b1: "bool",
};

/** The head of a version 1.0 file in C order; its length does not depend on the first axis. */
export function encodeNpyHeader(dtype: DType, shape: Shape): Uint8Array {
  const code = Object.entries(DESCRIPTIONS).find(([, named]) => named === dtype)?.[0];
  if (code === undefined || dtype === "float16") throw new RangeError(`npy: ${dtype} is not written; use float32`);
  const order = ITEM_BYTES[dtype] === 1 ? "|" : "<";
  const axes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${axes}), }`;
  const longest = text.length + ROW_DIGITS - String(shape[0] ?? "").length;
  const total = Math.ceil((10 + longest + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = Buffer.from(`${MAGIC}\x01\x00\0\0${text.padEnd(total - 11)}\n`, "latin1");
  bytes.writeUInt16LE(total - 10, 8);
  return bytes;
}

/**
 * Bytes of the whole head, from the file's first `NPY_PREFIX_BYTES`.
 *
 * @param name  the file, for the message
 * @throws {DataError} when it is not an npy file of version 1 to 3
 */
export function npyHeaderBytes(prefix: Uint8Array, name: string): number {
  const bytes = Buffer.from(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  if (bytes.length < NPY_PREFIX_BYTES || bytes.toString("latin1", 0, 6) !== MAGIC) {
    throw new DataError(`${name} is not an npy file: it does not start with \\x93NUMPY.`, { path: name });
  }
  const version = bytes[6] ?? 0;
  if (version === 1) return 10 + bytes.readUInt16LE(8);
  if (version === 2 || version === 3) return 12 + bytes.readUInt32LE(8);
  throw new DataError(`${name}: npy version ${version} is not known (1 to 3 are).`, { path: name });
}

/** Reads a whole head of `npyHeaderBytes`. @throws {DataError} for element types and layouts that are not supported */
export function decodeNpyHeader(head: Uint8Array, name: string): NpyHeader {
  const dataOffset = npyHeaderBytes(head, name);
  const fail = (what: string): DataError => new DataError(`${name}: ${what}`, { path: name });
  if (head.byteLength < dataOffset) throw fail("the file ends inside its head.");
  const text = Buffer.from(head).toString("latin1", head[6] === 1 ? 10 : 12, dataOffset);
  const description = /'descr'\s*:\s*'([<>|=])([a-zA-Z]\d+)'/.exec(text);
  const dtype = DESCRIPTIONS[description?.[2] ?? ""];
  if (!description || !dtype) {
    const found = /'descr'\s*:\s*(\[.*?\]|'[^']*')/.exec(text)?.[1] ?? "none";
    throw fail(`elements of type ${found} are not supported; expected one of ${Object.keys(DESCRIPTIONS).join(", ")}.`);
  }
  const shapeText = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  if (shapeText === undefined) throw fail("the head names no shape.");
  const shape = shapeText.split(",").flatMap((axis) => (axis.trim() === "" ? [] : [Number.parseInt(axis, 10)]));
  if (/'fortran_order'\s*:\s*True/.test(text) && shape.length > 1) {
    throw fail("it is in Fortran order; save np.ascontiguousarray(array) instead.");
  }
  return { dtype, shape, bigEndian: description[1] === ">" && ITEM_BYTES[dtype] > 1, dataOffset };
}

/** Bytes of the elements. */
export const npyDataBytes = ({ dtype, shape }: Pick<NpyHeader, "dtype" | "shape">): number =>
  sizeOf(shape) * ITEM_BYTES[dtype];

/** Turns big-endian elements into little-endian ones, in place. */
export function swapBytes(bytes: Uint8Array, dtype: DType): void {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (ITEM_BYTES[dtype] === 2) view.swap16();
  else if (ITEM_BYTES[dtype] === 4) view.swap32();
  else if (ITEM_BYTES[dtype] === 8) view.swap64();
}
