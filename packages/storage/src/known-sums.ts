import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { cacheFolder } from "./cache-folder.ts";
import { cancelled } from "./cancelled.ts";
import { sha256OfFile } from "./sha256.ts";

export interface KnownSumOptions {
  /** Where sums are remembered. Default: the process's cache folder. */
  readonly cache?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** True reads the bytes whatever is remembered. */
  readonly fresh?: boolean | undefined;
}

/** A file's sum, and whether its bytes had to be read for it. */
export interface KnownSum {
  /** The file's size when it was looked at; the sum is of that many first bytes. */
  readonly bytes: number;
  readonly sha256: string;
  readonly read: boolean;
}

/** What tells one state of a file from another. Nanoseconds as text. */
const State = z.strictObject({ bytes: z.number(), inode: z.string(), modified: z.string(), changed: z.string() });
type State = z.infer<typeof State>;
const Record = z.strictObject({ path: z.string(), state: State, sha256: z.string() });

/** A file that changed this short a time ago may change again without a new time stamp: file systems count in ticks. */
const SETTLED_MS = 2000;

/**
 * sha256 (hex) of a file's bytes. They are read once for each state (size, inode, times of change) of the file at this
 * path and remembered in the cache folder, for other processes too.
 *
 * @throws the file system's error when there is no such file, {CancelledError} when the signal fires
 */
export async function knownSha256(path: string, options: KnownSumOptions = {}): Promise<KnownSum> {
  const { cache = cacheFolder(), signal, fresh = false } = options;
  const before = await stateOf(path);
  const known = fresh ? undefined : await recall(path, cache);
  if (known && same(known.state, before)) return { bytes: before.bytes, sha256: known.sha256, read: false };
  const sha256 = await sha256OfFile(path, signal, before.bytes).catch((error: unknown) => {
    throw signal?.aborted ? cancelled(signal) : error;
  });
  const settled = BigInt(Date.now() - SETTLED_MS) * 1_000_000n > BigInt(before.changed);
  if (settled && same(before, await stateOf(path))) await write(path, before, sha256, cache);
  return { bytes: before.bytes, sha256, read: true };
}

/** Remembers the sum of a file that was just put in its place and that nobody writes to any more. */
export const rememberSha256 = async (path: string, sha256: string, cache: string): Promise<void> =>
  write(path, await stateOf(path), sha256, cache);

async function stateOf(path: string): Promise<State> {
  const { size, ino, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return { bytes: Number(size), inode: `${ino}`, modified: `${mtimeNs}`, changed: `${ctimeNs}` };
}

const same = (a: State, b: State): boolean =>
  a.bytes === b.bytes && a.inode === b.inode && a.modified === b.modified && a.changed === b.changed;

async function recall(path: string, cache: string): Promise<z.infer<typeof Record> | undefined> {
  try {
    const record = Record.parse(JSON.parse(await readFile(recordPath(path, cache), "utf8")));
    return record.path === resolve(path) ? record : undefined;
  } catch {
    return undefined; // nothing known, or not readable: the bytes tell
  }
}

async function write(path: string, state: State, sha256: string, cache: string): Promise<void> {
  const record = recordPath(path, cache);
  try {
    await mkdir(dirname(record), { recursive: true });
    const temporary = `${record}.${randomBytes(6).toString("hex")}`;
    await writeFile(temporary, JSON.stringify({ path: resolve(path), state, sha256 }));
    await rename(temporary, record); // not synced: what a power cut leaves is no record, and read as none
  } catch {} // a cache that cannot be written costs time, nothing else
}

const recordPath = (path: string, cache: string): string =>
  join(cache, "sums", `${createHash("sha256").update(resolve(path)).digest("hex").slice(0, 32)}.json`);
