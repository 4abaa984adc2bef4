import { randomBytes } from "node:crypto";
import { link, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";

/** A lock that processes on one file system keep to of their own will. */
export interface FileLock {
  /** False once another process took it over, because this one seemed dead. */
  held(): Promise<boolean>;
  release(): Promise<void>;
}

export interface FileLockOptions {
  readonly signal?: AbortSignal | undefined;
  /** A holder that gave no sign of life for this long has lost the lock. Default 10 s. */
  readonly silentMs?: number | undefined;
  /** True ends the wait without the lock: what it was wanted for is done. Asked before each try. */
  readonly done?: () => Promise<boolean>;
}

const Holder = z.object({ token: z.string(), host: z.string(), pid: z.int().positive() });

/**
 * Waits for the lock at `path`; undefined when `done` said that there is nothing left to do. A holder that died on this
 * host is replaced at once, another one after `silentMs`. It saves work and nothing more: a process that slept and
 * wakes up may be a second holder, so what it guards must bear two.
 *
 * @throws the signal's reason when it fires
 */
export async function acquireFileLock(path: string, options: FileLockOptions = {}): Promise<FileLock | undefined> {
  const { signal, silentMs = 10_000, done } = options;
  const token = randomBytes(8).toString("hex");
  let seen = { sign: "", at: performance.now() };
  for (;;) {
    signal?.throwIfAborted();
    if (await done?.()) return undefined;
    if (await take(path, token)) return heldLock(path, token, silentMs);
    const sign = await signOfLife(path);
    if (sign !== seen.sign) seen = { sign, at: performance.now() };
    const silent = performance.now() - seen.at > silentMs;
    if (silent || (await holderIsDead(path))) await rm(path, { force: true });
    else await wait(Math.min(100, silentMs / 4), undefined, signal ? { signal } : {});
  }
}

/** Puts the whole lock in place at once, or not at all where one is. */
async function take(path: string, token: string): Promise<boolean> {
  const own = `${path}-${token}`;
  const holder = JSON.stringify({ token, host: hostname(), pid: process.pid });
  await writeFile(own, holder);
  try {
    await link(own, path).catch((error: unknown) => {
      if (codeOf(error) === "EEXIST") throw error;
      return writeFile(path, holder, { flag: "wx" }); // a file system without links: empty for a moment, which bears it
    });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

function heldLock(path: string, token: string, silentMs: number): FileLock {
  const held = async () => (await readHolder(path))?.token === token;
  const beat = async () => {
    if (await held()) await utimes(path, new Date(), new Date());
  };
  const timer = setInterval(() => void beat().catch(() => {}), silentMs / 5).unref();
  return {
    held,
    async release() {
      clearInterval(timer);
      if (await held()) await rm(path, { force: true });
    },
  };
}

/** Changes as long as the holder lives. */
const signOfLife = async (path: string): Promise<string> => {
  const [holder, found] = await Promise.all([readHolder(path), stat(path).catch(() => undefined)]);
  return `${holder?.token} ${found?.mtimeMs}`;
};

async function holderIsDead(path: string): Promise<boolean> {
  const holder = await readHolder(path);
  if (holder?.host !== hostname()) return false;
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH"; // EPERM: another user's, and alive
  }
}

async function readHolder(path: string): Promise<z.infer<typeof Holder> | undefined> {
  try {
    return Holder.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined; // gone, or no lock of ours: only its silence counts
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;
