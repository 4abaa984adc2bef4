import { DataError, sizeOf } from "@gmc/core";
import { type DType, elementsOf, ITEM_BYTES, type NpyArray } from "@gmc/storage";
import { readSourceFile } from "./source-file.ts";

const DTYPES = new Map<number, DType>([
  [0x08, "uint8"],
  [0x09, "int8"],
  [0x0b, "int16"],
  [0x0c, "int32"],
  [0x0d, "float32"],
  [0x0e, "float64"],
]);

/**
 * The array of an IDX file (LeCun's MNIST format: big-endian, magic 00 00 type axes), gzipped or not.
 *
 * @throws {DataError} when the file is missing, is not IDX, or its length does not fit its shape
 */
export async function readIdx(path: string): Promise<NpyArray> {
  return decodeIdx(await readSourceFile(path), path);
}

/** The same from bytes in memory; `name` is for messages. */
export function decodeIdx(bytes: Buffer, name: string): NpyArray {
  const dtype = bytes[0] === 0 && bytes[1] === 0 ? DTYPES.get(bytes[2] ?? 0) : undefined;
  if (bytes.length < 4 || !dtype) {
    const start = bytes.subarray(0, 4).toString("hex");
    throw new DataError(
      `${name} is not an IDX file: it starts with ${start}, expected 0000, a type (08 to 0e) and the axes.`,
      {
        path: name,
      },
    );
  }
  const axes = bytes[3] ?? 0;
  const offset = 4 + 4 * axes;
  if (bytes.length < offset) throw new DataError(`${name} ends inside its head.`, { path: name });
  const shape = Array.from({ length: axes }, (_, axis) => bytes.readUInt32BE(4 + 4 * axis));
  const expected = offset + sizeOf(shape) * ITEM_BYTES[dtype];
  if (bytes.length !== expected) {
    throw new DataError(`${name}: shape [${shape}] of ${dtype} makes ${expected} bytes, it has ${bytes.length}.`, {
      path: name,
      expected,
      received: bytes.length,
    });
  }
  const own = Buffer.from(bytes.subarray(offset));
  if (ITEM_BYTES[dtype] === 2) own.swap16();
  else if (ITEM_BYTES[dtype] === 4) own.swap32();
  else if (ITEM_BYTES[dtype] === 8) own.swap64();
  return { dtype, shape, data: elementsOf(dtype, new Uint8Array(own)) };
}
