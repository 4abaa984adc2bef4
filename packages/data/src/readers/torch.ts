import { type FileHandle, open } from "node:fs/promises";
import { DataError } from "@gmc/core";
import { type DType, ITEM_BYTES, type NpyArray } from "@gmc/storage";
import { PickledArray } from "./numpy-pickle.ts";
import { listOf, type PickleValue, readPickle } from "./pickle.ts";
import { torchScope } from "./torch-pickle.ts";
import { type TorchStorage, TorchTensor } from "./torch-tensor.ts";
import { openZip, readAt, type ZipArchive } from "./zip-archive.ts";

/** What a PyTorch file holds, tensors still on disk; tuples and lists are arrays, dicts are maps. */
export type TorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | TorchTensor
  | NpyArray
  | readonly TorchValue[]
  | ReadonlyMap<TorchValue, TorchValue>;

/** An open PyTorch file; close it when its tensors have been read. */
export class TorchFile {
  readonly path: string;
  readonly value: TorchValue;
  readonly #handle: FileHandle;

  constructor(path: string, value: TorchValue, handle: FileHandle) {
    this.path = path;
    this.value = value;
    this.#handle = handle;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/**
 * Opens a file written by `torch.save`, in the zip format (PyTorch 1.6 and newer) or the one before it. Only data is
 * read: a pickle that refers to anything but tensors, numbers, text, tuples, lists, dicts and numpy arrays is refused
 * with the name, and nothing in it is executed.
 *
 * @throws {DataError} when the file is missing, of another kind, cut short, or refers to something else
 */
export async function openTorch(path: string): Promise<TorchFile> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw new DataError(`${path} cannot be opened: ${(cause as Error).message}`, { path }, { cause });
  });
  const start = Buffer.alloc(8);
  await handle.read(start, 0, 8, 0);
  await handle.close();
  if (start.toString("latin1", 0, 4) === "PK\x03\x04") return openZipFormat(path);
  if (start[0] === 0x80) return openLegacyFormat(path);
  throw new DataError(
    `${path} is not a PyTorch file: it starts neither like a zip archive nor like a pickle. ` +
      "(Files of PyTorch before 0.1.10 are tar archives: load and save them again.)",
    { path },
  );
}

/** A tensor or array of a PyTorch file in memory. */
export type LoadedValue =
  | Exclude<TorchValue, TorchTensor | readonly TorchValue[] | ReadonlyMap<TorchValue, TorchValue>>
  | readonly LoadedValue[]
  | ReadonlyMap<LoadedValue, LoadedValue>;

/** All of a PyTorch file in memory, tensors as arrays with shape; for large files see `openTorch`. */
export async function readTorch(path: string): Promise<LoadedValue> {
  const file = await openTorch(path);
  try {
    return await load(file.value);
  } finally {
    await file.close();
  }
}

/** `done` keeps what occurs twice one object, and a list that holds itself finite. */
async function load(value: TorchValue, done = new Map<TorchValue, LoadedValue>()): Promise<LoadedValue> {
  const known = done.get(value);
  if (known !== undefined) return known;
  if (value instanceof TorchTensor) {
    const array = await value.read();
    done.set(value, array);
    return array;
  }
  if (Array.isArray(value)) {
    const items: LoadedValue[] = [];
    done.set(value as readonly TorchValue[], items);
    for (const item of value as readonly TorchValue[]) items.push(await load(item, done));
    return items;
  }
  if (!(value instanceof Map)) return value as LoadedValue;
  const map = new Map<LoadedValue, LoadedValue>();
  done.set(value, map);
  for (const [key, item] of value as ReadonlyMap<TorchValue, TorchValue>) {
    map.set(await load(key, done), await load(item, done));
  }
  return map;
}

async function openZipFormat(path: string): Promise<TorchFile> {
  const archive = await openZip(path);
  try {
    const pickle = [...archive.entries.keys()].find((name) => /(^|\/)data\.pkl$/.test(name));
    if (pickle === undefined) throw new DataError(`${path} is a zip archive without data.pkl.`, { path });
    const folder = pickle.slice(0, -"data.pkl".length);
    const bigEndian = await isBigEndian(archive, `${folder}byteorder`);
    const storages = new Map<string, TorchStorage>();
    const scope = torchScope(path, (key, dtype) => remember(storages, key, dtype));
    const bytes = Buffer.from(await archive.read(pickle));
    const value = checked(path, readPickle(bytes, 0, path, scope).value);
    for (const [key, storage] of storages) {
      const entry = archive.entry(`${folder}data/${key}`);
      if (!entry.stored) throw new DataError(`${path}: storage ${key} is packed; save it with torch.save.`, { path });
      const offset = await archive.dataOffset(entry);
      storage.place = { handle: archive.handle, offset, bytes: entry.size, bigEndian };
    }
    return new TorchFile(path, value, archive.handle);
  } catch (error) {
    await archive.close();
    throw error;
  }
}

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_VERSION = 1001;
const MOST_PICKLE_BYTES = 64 << 20;

/** Pickles of magic, version, system, value and storage keys; then one storage after another: count (int64), elements. */
async function openLegacyFormat(path: string): Promise<TorchFile> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    const head = await readAt(handle, path, 0, Math.min(size, MOST_PICKLE_BYTES));
    const storages = new Map<string, TorchStorage>();
    const scope = torchScope(path, (key, dtype) => remember(storages, key, dtype));
    let position = 0;
    const next = (): PickleValue => {
      const { value, end } = readPickle(head, position, path, scope);
      position = end;
      return value;
    };
    if (next() !== LEGACY_MAGIC || next() !== LEGACY_VERSION) {
      throw new DataError(`${path} is a pickle, but not one that torch.save wrote.`, { path });
    }
    const system = next();
    const bigEndian = system instanceof Map && system.get("little_endian") === false;
    const value = checked(path, next());
    for (const key of listOf(next())) {
      const storage = storages.get(String(key));
      if (!storage) throw new DataError(`${path}: storage ${String(key)} belongs to no tensor.`, { path });
      const count = await readAt(handle, path, position, 8);
      const elements = Number(bigEndian ? count.readBigInt64BE() : count.readBigInt64LE());
      const bytes = elements * ITEM_BYTES[storage.dtype];
      if (elements < 0 || position + 8 + bytes > size) {
        throw new DataError(`${path} is cut short: storage ${String(key)} needs ${bytes} bytes.`, { path });
      }
      storage.place = { handle, offset: position + 8, bytes, bigEndian };
      position += 8 + bytes;
    }
    return new TorchFile(path, value, handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function remember(storages: Map<string, TorchStorage>, key: string, dtype: DType): TorchStorage {
  const known = storages.get(key);
  if (known) return known;
  const storage: TorchStorage = { kind: "storage", dtype, place: undefined };
  storages.set(key, storage);
  return storage;
}

async function isBigEndian(archive: ZipArchive, name: string): Promise<boolean> {
  if (!archive.entries.has(name)) return false;
  return (
    Buffer.from(await archive.read(name))
      .toString("latin1")
      .trim() === "big"
  );
}

/** The pickle's value once it is known to hold only what a caller can use. */
function checked(path: string, value: PickleValue): TorchValue {
  const seen = new Set<PickleValue>();
  const open = [value];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    if (item === null || typeof item !== "object" || seen.has(item)) continue;
    seen.add(item);
    if (item instanceof TorchTensor || item instanceof PickledArray || item instanceof Uint8Array) continue;
    if (Array.isArray(item)) for (const entry of item) open.push(entry);
    else if (item instanceof Map) for (const entry of item) open.push(...entry);
    else throw refuseBare(path, item.kind);
  }
  return value as TorchValue;
}

const refuseBare = (path: string, kind: string): DataError =>
  new DataError(`${path} holds a bare ${kind}; only tensors, arrays and plain values are read.`, { path });
