import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { copyFile, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CancelledError, DataError } from "@gmc/core";
import { syncFolder, writeAll } from "../atomic.ts";
import { cancelled } from "../cancelled.ts";
import { acquireFileLock } from "../file-lock.ts";
import { knownSha256, rememberSha256 } from "../known-sums.ts";
import { sha256OfFile } from "../sha256.ts";
import { bodyOf, drop, type HttpAnswer, NetworkError, reasonOf, request } from "./request.ts";
import { expectStatus, type RetryOptions, retrying, StatusError } from "./retry.ts";

/** How to go about a transfer; the defaults suit a file server in the same building. */
export interface TransferOptions extends RetryOptions {
  /** Longest time without one byte. Default 30 s. */
  readonly idleMs?: number | undefined;
  /** Bytes asked for at a time. Default 8 MiB. */
  readonly pieceBytes?: number | undefined;
  /** A process that fetches the same file is taken for dead after this long without a sign. Default 10 s. */
  readonly silentMs?: number | undefined;
}

export interface FetchFileOptions extends TransferOptions {
  readonly url: URL;
  /** Where the file goes; its folder is made. */
  readonly target: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Where sums are remembered. */
  readonly cache: string;
  /** How many of the file's bytes are here. */
  readonly onProgress?: ((bytesDone: number) => void) | undefined;
}

const PIECE_BYTES = 8 << 20;

/**
 * Makes sure that the file with this sum is at `target`; true when it had to be fetched. It comes by ranges where the
 * server has them, goes on where a process that died left off, and is in place only when its sum is right. Processes
 * that want the same file at the same time fetch it once.
 *
 * @throws {DataError}      when the server cannot be reached or has not this file; `details.url` names it, and where
 *                          other bytes came, `details.expected` and `details.received` the sums or sizes
 * @throws {CancelledError} when the signal fires; the next call goes on from there
 */
export async function fetchFile(options: FetchFileOptions): Promise<boolean> {
  const { target, signal, silentMs } = options;
  if (await inPlace(options)) return false;
  await mkdir(dirname(target), { recursive: true });
  const lock = await acquireFileLock(`${target}.lock`, { signal, silentMs, done: () => inPlace(options) }).catch(
    (error: unknown) => {
      throw signal?.aborted ? cancelled(signal) : error;
    },
  );
  if (!lock) return false;
  try {
    await fetchIntoPlace(options);
    return true;
  } catch (error) {
    if (signal?.aborted || (await lock.held())) throw explained(error, options);
  } finally {
    await lock.release();
  }
  return fetchFile(options); // this process slept, and another one took over and removed its part
}

/** True when the right file is there; a wrong one is replaced by whoever holds the lock. */
async function inPlace({ target, bytes, sha256, cache, signal }: FetchFileOptions): Promise<boolean> {
  const found = await stat(target).catch(() => undefined);
  return found?.size === bytes && (await knownSha256(target, { cache, signal })).sha256 === sha256;
}

/**
 * Fetches into a file of this call's own, which no other process ever writes to: a holder of the lock that slept and
 * wakes up can only ruin what is no longer wanted.
 */
async function fetchIntoPlace(options: FetchFileOptions): Promise<void> {
  const { target, sha256, cache, signal } = options;
  const part = `${partPrefix(target)}${randomBytes(6).toString("hex")}`;
  const adopted = await adoptPart(target, part);
  let received = await fetchPart(part, options);
  if (received !== sha256 && adopted > 0) {
    await rm(part, { force: true }); // the part was of something else
    received = await fetchPart(part, options);
  }
  signal?.throwIfAborted();
  if (received !== sha256) {
    await rm(part, { force: true });
    throw otherBytes(options, "the sha256", sha256, received);
  }
  await rename(part, target);
  await syncFolder(dirname(target));
  await rememberSha256(target, sha256, cache);
}

/** sha256 of the fetched file. */
async function fetchPart(part: string, options: FetchFileOptions): Promise<string> {
  const handle = await open(part, "a+").then(async (created) => {
    await created.close();
    return open(part, "r+");
  });
  try {
    await fillFile(handle, options);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return sha256OfFile(part, options.signal);
}

/** Asks for piece after piece until all bytes are there. */
async function fillFile(handle: FileHandle, options: FetchFileOptions): Promise<void> {
  const { bytes, onProgress } = options;
  let done = Math.min((await handle.stat()).size, bytes);
  await handle.truncate(done);
  onProgress?.(done);
  await retrying(async (progressed) => {
    while (done < bytes) {
      const answer = await askForPiece(options, done);
      if (answer.status === 200) done = 0; // no ranges here: it all comes again
      const before = done;
      for await (const chunk of bodyOf(answer, options.signal)) {
        if (done + chunk.byteLength > bytes) throw otherBytes(options, "more bytes", bytes, done + chunk.byteLength);
        await writeAll(handle, chunk, done);
        done += chunk.byteLength;
        onProgress?.(done);
        if (answer.status === 206) progressed(); // kept, whatever happens next
      }
      if (done === before || (answer.status === 200 && done < bytes)) {
        throw new NetworkError(`the connection ended at byte ${done} of ${bytes}`);
      }
    }
  }, options);
}

async function askForPiece(options: FetchFileOptions, from: number): Promise<HttpAnswer> {
  const { url, bytes, signal, idleMs, pieceBytes = PIECE_BYTES } = options;
  const range = `bytes=${from}-${Math.min(from + pieceBytes, bytes) - 1}`;
  const answer = await request(url, { headers: { range, "accept-encoding": "identity" }, signal, idleMs });
  if (answer.status === 206) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers["content-range"] ?? "") ?? [];
    const whole = total === "*" ? bytes : Number(total);
    if (Number(start) === from && whole === bytes) return answer;
    drop(answer);
    if (total !== undefined && whole !== bytes) throw otherBytes(options, "the size", bytes, Number(total));
    throw new NetworkError(`it answers another range than the one asked for: ${answer.headers["content-range"]}`);
  }
  if (answer.status === 416) {
    drop(answer);
    const total = /\/(\d+)$/.exec(answer.headers["content-range"] ?? "")?.[1];
    throw otherBytes(options, "the size", bytes, total === undefined ? "less" : Number(total));
  }
  const length = answer.headers["content-length"];
  if (answer.status === 200 && length !== undefined && Number(length) !== bytes) {
    drop(answer);
    throw otherBytes(options, "the size", bytes, Number(length));
  }
  return expectStatus(answer, 200);
}

const partPrefix = (target: string): string => join(dirname(target), `.${basename(target)}.gmc-part-`);

/** Copies the longest part that a dead process left, and removes them all; the bytes that were there. */
async function adoptPart(target: string, part: string): Promise<number> {
  const folder = dirname(target);
  const prefix = basename(partPrefix(target));
  const names = (await readdir(folder)).filter((name) => name.startsWith(prefix));
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0),
  );
  const longest = sizes.length === 0 ? 0 : Math.max(...sizes);
  const best = names[sizes.indexOf(longest)];
  // A copy, not a rename: whoever wrote it may wake up and go on writing.
  if (best !== undefined && longest > 0) await copyFile(join(folder, best), part, constants.COPYFILE_FICLONE);
  for (const name of names) await rm(join(folder, name), { force: true });
  return longest;
}

const otherBytes = ({ url }: FetchFileOptions, what: string, expected: unknown, received: unknown): DataError =>
  new DataError(
    `${url.href} is another file than expected: ${what} should be ${expected}, received ${received}. Nothing of it was kept.`,
    { url: url.href, expected, received },
  );

function explained(error: unknown, { url, signal }: FetchFileOptions): unknown {
  if (signal?.aborted) return cancelled(signal);
  if (error instanceof DataError || error instanceof CancelledError) return error;
  return unreachable(url, error);
}

/** A transfer that failed for good, with its URL; the failures of files (no space, no rights) are left as they are. */
export const unreachable = (url: URL, cause: unknown): unknown =>
  cause instanceof NetworkError || cause instanceof StatusError
    ? new DataError(`${url.href} cannot be fetched: ${reasonOf(cause)}.`, { url: url.href }, { cause })
    : cause;
