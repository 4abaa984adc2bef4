import { readFileSync } from "node:fs";
import type { Shape } from "@gmc/core";

/** One float32 tensor, row-major. */
export interface StoredTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** The float32 tensors of a safetensors file. */
export interface TensorFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

/** Reads a fixture whole. A reader of its own, so that the fixtures also check the one in `storage`. @throws {Error} on any dtype but F32 */
export function readTensorFile(path: string): TensorFile {
  const bytes = readFileSync(path);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header: Record<string, unknown> = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes));
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries as Record<string, HeaderEntry>)) {
    if (dtype !== "F32") throw new Error(`${path}: tensor ${name} has dtype ${dtype}; the fixtures hold F32`);
    const [start, end] = data_offsets.map((offset) => 8 + headerBytes + offset);
    const copy = new Uint8Array(bytes.subarray(start, end)); // its own, aligned buffer
    tensors.set(name, { shape, data: new Float32Array(copy.buffer) });
  }
  return { path, metadata: metadata as Record<string, string>, tensors };
}

/** The tensor of that name. @throws {Error} when the file lacks it */
export function tensorOf(file: TensorFile, name: string): StoredTensor {
  const tensor = file.tensors.get(name);
  if (!tensor) throw new Error(`${file.path} holds no tensor ${name}`);
  return tensor;
}

/** The one value of a tensor of one element. */
export const scalarOf = (file: TensorFile, name: string): number => tensorOf(file, name).data[0] ?? Number.NaN;
