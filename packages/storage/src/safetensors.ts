import { type FileHandle, open } from "node:fs/promises";
import { DataError, type Shape, ShapeError, sizeOf } from "@gmc/core";
import { writeFileAtomic } from "./atomic.ts";
import { bytesOf, type DType, dtypeOf, elementsOf, ITEM_BYTES, type NumericArray } from "./dtypes.ts";

/** A tensor to write. `bool` takes bytes; 16-bit floats are not written. */
export interface NamedTensor {
  readonly name: string;
  /** Default: the array's own type. */
  readonly dtype?: DType;
  readonly shape: Shape;
  readonly data: NumericArray;
}

/** A tensor as read; `dtype` is the file's (16-bit floats are widened to float32). */
export interface StoredTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: NumericArray;
}

/** All of a safetensors file. */
export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the file's order. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

const CODES: Readonly<Record<DType, string>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint64: "U64",
  uint32: "U32",
  uint16: "U16",
  uint8: "U8",
  bool: "BOOL",
};
const DTYPES = new Map(Object.entries(CODES).map(([dtype, code]) => [code, dtype as DType]));
const MOST_HEADER_BYTES = 100_000_000; // the format's own limit

/**
 * Writes tensors as one safetensors file, atomically, in the order given; the same arguments give the same bytes.
 *
 * @throws {ShapeError} when a shape does not hold as many elements as its data
 * @throws {RangeError} when two tensors share a name
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const entries: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) entries.__metadata__ = metadata;
  let offset = 0;
  for (const { name, shape, data, dtype = dtypeOf(data) } of tensors) {
    if (name in entries || name === "__metadata__") throw new RangeError(`${path}: two tensors are named "${name}"`);
    if (sizeOf(shape) !== data.length) throw new ShapeError(`${path}: tensor "${name}"`, shape, [data.length]);
    if (dtype !== dtypeOf(data) && !(dtype === "bool" && data instanceof Uint8Array)) {
      throw new TypeError(`${path}: tensor "${name}" is ${dtype}, its array is ${dtypeOf(data)}`);
    }
    entries[name] = { dtype: CODES[dtype], shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(entries));
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " "); // elements start at a multiple of 8
  header.writeBigUInt64LE(BigInt(header.length - 8));
  json.copy(header, 8);
  await writeFileAtomic(
    path,
    (async function* () {
      yield header;
      for (const { data } of tensors) yield bytesOf(data);
    })(),
  );
}

/**
 * Reads a safetensors file, each tensor into memory of its own.
 *
 * @throws {DataError} when it is missing, cut short, or its header does not fit its bytes
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw new DataError(`${path} cannot be opened: ${(cause as Error).message}`, { path }, { cause });
  });
  try {
    const { size } = await handle.stat();
    const { header, dataOffset } = await readHeader(handle, path, size);
    const { __metadata__: metadata = {}, ...entries } = header;
    const tensors = new Map<string, StoredTensor>();
    for (const [name, entry] of Object.entries(entries)) {
      const { dtype, shape, start, end } = checkEntry(path, name, entry, size - dataOffset);
      const bytes = await readExactly(handle, path, dataOffset + start, end - start);
      tensors.set(name, { dtype, shape, data: elementsOf(dtype, bytes) });
    }
    return { metadata: metadata as Record<string, string>, tensors };
  } finally {
    await handle.close();
  }
}

async function readHeader(handle: FileHandle, path: string, size: number) {
  if (size < 8) throw new DataError(`${path} is not a safetensors file: it has ${size} bytes.`, { path });
  const length = Number(Buffer.from(await readExactly(handle, path, 0, 8)).readBigUInt64LE());
  if (length > Math.min(size - 8, MOST_HEADER_BYTES)) {
    throw new DataError(
      `${path} is not a safetensors file, or is cut short: a header of ${length} bytes in a file of ${size}.`,
      { path },
    );
  }
  const text = Buffer.from(await readExactly(handle, path, 8, length)).toString();
  try {
    const header: unknown = JSON.parse(text);
    if (typeof header === "object" && header !== null && !Array.isArray(header)) {
      return { header: header as Record<string, unknown>, dataOffset: 8 + length };
    }
    throw new TypeError("not an object");
  } catch (cause) {
    throw new DataError(`${path} is not a safetensors file: its header is not a JSON object.`, { path }, { cause });
  }
}

function checkEntry(path: string, name: string, entry: unknown, available: number) {
  const { dtype: code, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const dtype = typeof code === "string" ? DTYPES.get(code) : undefined;
  if (!dtype) throw new DataError(`${path}: tensor "${name}" has the unknown element type ${String(code)}.`, { path });
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
    throw new DataError(`${path}: tensor "${name}" lacks a shape or data_offsets.`, { path });
  }
  const [start = 0, end = 0] = offsets;
  if (end > available) {
    throw new DataError(`${path} is cut short: tensor "${name}" ends at byte ${end} of ${available}.`, { path });
  }
  if (end - start !== sizeOf(shape) * ITEM_BYTES[dtype]) {
    throw new DataError(`${path}: tensor "${name}" of shape [${shape}] has ${end - start} bytes.`, { path });
  }
  return { dtype, shape, start, end };
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);

async function readExactly(handle: FileHandle, path: string, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new DataError(`${path} ended while it was read.`, { path });
    done += bytesRead;
  }
  return bytes;
}
