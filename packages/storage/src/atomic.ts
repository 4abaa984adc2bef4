import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { access, lstat, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "@gmc/core";

/** What an atomic write takes: text (UTF-8), bytes, or bytes as they come. */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array>;

/** A file that is written beside its target and not yet in its place. */
export interface StagedFile {
  readonly handle: FileHandle;
  /** fsync, rename over the target, fsync of the folder; closes the handle. */
  commit(): Promise<void>;
  /** Closes and removes what was written; the target stays as it was. Does nothing after a commit. */
  discard(): Promise<void>;
}

const TEMPORARY_MARK = ".gmc-tmp-";

/** Path beside `path`, on the same file system, hidden and unique. */
const temporaryBeside = (path: string): string =>
  join(dirname(path), `.${basename(path)}${TEMPORARY_MARK}${randomBytes(6).toString("hex")}`);

/** Opens a temporary file beside `path`; until `commit` nobody sees a change, whenever the process dies. */
export async function stageFile(path: string): Promise<StagedFile> {
  const target = resolve(path);
  const temporary = temporaryBeside(target);
  const handle = await open(temporary, "wx+");
  let open_ = true;
  return {
    handle,
    async commit() {
      await handle.sync();
      await handle.close();
      open_ = false;
      await rename(temporary, target);
      await syncFolder(dirname(target));
    },
    async discard() {
      if (!open_) return;
      open_ = false;
      await handle.close();
      await rm(temporary, { force: true });
    },
  };
}

/** Replaces the file at `path` as a whole: at any moment it holds the old content or all of the new. */
export async function writeFileAtomic(path: string, content: FileContent): Promise<void> {
  const staged = await stageFile(path);
  try {
    if (typeof content === "string" || content instanceof Uint8Array) await staged.handle.writeFile(content);
    else for await (const chunk of content) await writeAll(staged.handle, chunk);
    await staged.commit();
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

/**
 * What `fill` gives after it filled a temporary folder, which then takes the place `path`. When `fill` throws, the
 * temporary folder is removed; when the process dies, only a hidden temporary folder is left.
 *
 * @throws {UsageError} when `path` exists
 */
export async function writeFolderAtomic<T>(path: string, fill: (temporary: string) => Promise<T>): Promise<T> {
  const target = resolve(path);
  await refuseExisting(target, path);
  await mkdir(dirname(target), { recursive: true });
  const temporary = temporaryBeside(target);
  await mkdir(temporary);
  try {
    const result = await fill(temporary);
    await syncFolders(temporary);
    await refuseExisting(target, path); // made meanwhile by someone else: rename would replace an empty folder
    await rename(temporary, target);
    await syncFolder(dirname(target));
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Removes what writers that died left in `folder`. Only for a folder in which nobody is writing now. */
export async function removeTemporaries(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.includes(TEMPORARY_MARK)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** True when something is at `path`. */
export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Writes all of `bytes`, at `position` or where the file's cursor stands. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const at = position === undefined ? null : position + done;
    const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, at);
    done += bytesWritten;
  }
}

async function refuseExisting(target: string, asGiven: string): Promise<void> {
  const found = await lstat(target).catch(() => undefined);
  if (found) throw new UsageError(`${asGiven} already exists; remove it or name another folder.`, { path: asGiven });
}

async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  }
  await syncFolder(folder);
}

/** fsync of the folder: makes a rename in it last. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return; // folders cannot be opened there
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
