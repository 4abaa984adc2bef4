import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";
import { DataError } from "@gmc/core";

/** One file inside a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes once unpacked. */
  readonly size: number;
  readonly packedSize: number;
  readonly stored: boolean;
  readonly headerOffset: number;
}

const inflate = promisify(inflateRaw);
const END = 0x06054b50;
const END_64_LOCATOR = 0x07064b50;
const END_64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const TAIL_BYTES = 65_557; // the end record with the longest comment

/** A zip archive (zip64 too) whose entries are read one by one; what is stored unpacked can be read by range. */
export class ZipArchive {
  readonly path: string;
  readonly entries: ReadonlyMap<string, ZipEntry>;
  readonly handle: FileHandle;

  constructor(path: string, handle: FileHandle, entries: ReadonlyMap<string, ZipEntry>) {
    this.path = path;
    this.handle = handle;
    this.entries = entries;
  }

  /** The entry of that name. @throws {DataError} naming those there are */
  entry(name: string): ZipEntry {
    const entry = this.entries.get(name);
    if (entry) return entry;
    const names = [...this.entries.keys()].slice(0, 20).join(", ");
    throw new DataError(`${this.path} has no entry "${name}"; it has ${names}.`, { path: this.path, name });
  }

  /** All of an entry, unpacked. */
  async read(name: string): Promise<Uint8Array> {
    const entry = this.entry(name);
    const packed = await readAt(this.handle, this.path, await this.dataOffset(entry), entry.packedSize);
    if (entry.stored) return packed;
    const bytes = await inflate(packed, { maxOutputLength: Math.max(1, entry.size) }).catch((cause: unknown) => {
      throw new DataError(`${this.path}: entry "${name}" cannot be unpacked.`, { path: this.path, name }, { cause });
    });
    if (bytes.length === entry.size) return bytes;
    throw new DataError(`${this.path}: entry "${name}" has ${bytes.length} bytes instead of ${entry.size}.`, {
      path: this.path,
      name,
    });
  }

  /** Where the entry's bytes start in the file. */
  async dataOffset(entry: ZipEntry): Promise<number> {
    const local = await readAt(this.handle, this.path, entry.headerOffset, 30);
    if (local.readUInt32LE(0) !== LOCAL) {
      throw new DataError(`${this.path}: entry "${entry.name}" is not where the archive's directory says.`, {
        path: this.path,
      });
    }
    return entry.headerOffset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** Opens a zip archive and reads its directory. @throws {DataError} when it is not one, or is cut short */
export async function openZip(path: string): Promise<ZipArchive> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw new DataError(`${path} cannot be opened: ${(cause as Error).message}`, { path }, { cause });
  });
  try {
    const { size } = await handle.stat();
    const { offset, bytes } = await findDirectory(handle, path, size);
    return new ZipArchive(path, handle, parseDirectory(await readAt(handle, path, offset, bytes), path));
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** `length` bytes at `position`. @throws {DataError} when the file is shorter */
export async function readAt(handle: FileHandle, path: string, position: number, length: number): Promise<Buffer> {
  const { size } = await handle.stat();
  if (position < 0 || position + length > size) {
    throw new DataError(`${path} is cut short: bytes ${position} to ${position + length} asked for, it has ${size}.`, {
      path,
    });
  }
  const bytes = Buffer.from(new ArrayBuffer(length)); // memory of its own, so that views are aligned
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new DataError(`${path} ended while it was read.`, { path });
    done += bytesRead;
  }
  return bytes;
}

async function findDirectory(handle: FileHandle, path: string, size: number) {
  const tail = await readAt(handle, path, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES));
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end--;
  if (end < 0) throw new DataError(`${path} is not a zip archive, or is cut short.`, { path });
  const offset = tail.readUInt32LE(end + 16);
  const bytes = tail.readUInt32LE(end + 12);
  const has64 = end >= 20 && tail.readUInt32LE(end - 20) === END_64_LOCATOR;
  if (!has64) return { offset, bytes };
  const end64 = await readAt(handle, path, Number(tail.readBigUInt64LE(end - 12)), 56);
  if (end64.readUInt32LE(0) !== END_64) throw new DataError(`${path}: its zip64 end record is broken.`, { path });
  return { offset: Number(end64.readBigUInt64LE(48)), bytes: Number(end64.readBigUInt64LE(40)) };
}

function parseDirectory(directory: Buffer, path: string): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === CENTRAL; ) {
    const method = directory.readUInt16LE(at + 10);
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const name = directory.toString("utf8", at + 46, at + 46 + nameLength);
    if (method !== 0 && method !== 8) {
      throw new DataError(`${path}: entry "${name}" is packed with method ${method}; only deflate is known.`, { path });
    }
    const extra = directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    const [size, packedSize, headerOffset] = widen(
      [directory.readUInt32LE(at + 24), directory.readUInt32LE(at + 20), directory.readUInt32LE(at + 42)],
      extra,
    );
    entries.set(name, { name, size, packedSize, stored: method === 0, headerOffset });
    at += 46 + nameLength + extraLength + directory.readUInt16LE(at + 32);
  }
  return entries;
}

/** Numbers that do not fit 32 bits stand in the zip64 extra field, in this order. */
function widen(numbers: readonly [number, number, number], extra: Buffer): [number, number, number] {
  let field: Buffer | undefined;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === 1) field = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
  }
  let at = 0;
  const next = (narrow: number): number => {
    if (narrow !== 0xffffffff || !field || at + 8 > field.length) return narrow;
    at += 8;
    return Number(field.readBigUInt64LE(at - 8));
  };
  return [next(numbers[0]), next(numbers[1]), next(numbers[2])];
}
