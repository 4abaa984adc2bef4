import { setTimeout as wait } from "node:timers/promises";
import { DataError } from "@gmc/core";
import { cancelled } from "../cancelled.ts";
import { type RetryOptions, retrying } from "../http/retry.ts";
import { ChangedError, type FileStore, type StoredFile } from "./file-store.ts";

/** What a transfer did. */
export interface MirrorResult {
  /** Files that were put; those with the same sum on both sides are left alone. */
  readonly files: number;
  readonly bytes: number;
  readonly removed: number;
}

/**
 * Ranks in which files are put. A pointer (checkpoints/last.json, best.json) comes after all tensor files, so that what
 * it names is there; config.yaml, which makes a folder a run, after the checkpoint; metrics and record last.
 */
const RANKS: readonly ((path: string) => boolean)[] = [
  (path) => isTensors(path),
  (path) => isPointer(path),
  (path) => !["config.yaml", "metrics.jsonl", "run.json"].includes(path),
  (path) => path === "config.yaml",
  (path) => path === "metrics.jsonl",
  () => true,
];
const CHECKPOINTS = "checkpoints/";
const isPointer = (path: string): boolean => path.startsWith(CHECKPOINTS) && path.endsWith(".json");
const isTensors = (path: string): boolean => path.startsWith(CHECKPOINTS) && !path.endsWith(".json");
const rankOf = (path: string): number => RANKS.findIndex((matches) => matches(path));

const MAX_LOOKS = 20;

/**
 * Makes `target` hold what `source` holds: transfers what differs, then removes checkpoints that the source has no more
 * (other files that only the target has, as reports made there, stay; a source without any checkpoint removes none). Killed at any moment, and also while the source
 * is written to, the target has whole checkpoints or none.
 *
 * @throws {DataError} when the source changes faster than it can be read
 * @throws {CancelledError} when the signal fires
 */
export async function mirrorFiles(
  source: FileStore,
  target: FileStore,
  options: RetryOptions = {},
): Promise<MirrorResult> {
  const { signal } = options;
  const done = { files: 0, bytes: 0, removed: 0 };
  for (let look = 1; ; look++) {
    if (signal?.aborted) throw cancelled(signal);
    try {
      await mirrorOnce(source, target, done, options);
      return done;
    } catch (error) {
      if (signal?.aborted) throw cancelled(signal);
      if (!(error instanceof ChangedError)) throw error;
      if (look === MAX_LOOKS) {
        throw new DataError(`The run changes faster than it can be read: ${error.message}.`, {}, { cause: error });
      }
      await wait(10 * look);
    }
  }
}

async function mirrorOnce(
  source: FileStore,
  target: FileStore,
  done: { files: number; bytes: number; removed: number },
  options: RetryOptions,
): Promise<void> {
  const { signal } = options;
  const wanted = withoutOrphans(await source.list(signal));
  const present = await target.list(signal);
  const differing = [...wanted.values()]
    .filter(({ path, sha256 }) => present.get(path)?.sha256 !== sha256)
    .sort((a, b) => rankOf(a.path) - rankOf(b.path));
  const remove = async (path: string) => {
    await target.remove(path, signal);
    done.removed++;
  };
  // Tensors of another content under a name that a pointer may give: without pointers there is no checkpoint for a while.
  if (hasPointer(present) && differing.some(({ path }) => isTensors(path) && present.has(path))) {
    for (const path of present.keys()) if (isPointer(path)) await remove(path);
    throw new ChangedError("its old pointers were removed"); // look again
  }
  const extra = hasPointer(wanted)
    ? [...present.keys()].filter((path) => path.startsWith(CHECKPOINTS) && !wanted.has(path))
    : []; // a source without a checkpoint has nothing to say about the target's
  const put = async (file: StoredFile) => {
    await retrying(() => target.put(file, source.read(file, signal), signal), options);
    done.files++;
    done.bytes += file.bytes;
  };
  for (const file of differing.filter(({ path }) => isTensors(path))) await put(file);
  const rest = differing.filter(({ path }) => !isTensors(path));
  if (extra.length > 0 || rest.some(({ path }) => isPointer(path))) await checkCheckpoints(source, wanted, signal);
  for (const file of rest) await put(file);
  for (const path of extra.filter(isPointer)) await remove(path);
  for (const path of extra.filter(isTensors)) await remove(path);
}

/** Tensors that no pointer can name are left out. */
const withoutOrphans = (files: ReadonlyMap<string, StoredFile>): ReadonlyMap<string, StoredFile> =>
  hasPointer(files) ? files : new Map([...files].filter(([path]) => !isTensors(path)));

const hasPointer = (files: ReadonlyMap<string, StoredFile>): boolean => [...files.keys()].some(isPointer);

/**
 * Whoever writes the source puts tensors, then the pointer, then removes tensors. What a pointer names is therefore in
 * every list that is begun and ended while the pointer is the same: when it still is, and this second list has no
 * tensors that the first one lacks, the first one has them too.
 */
async function checkCheckpoints(
  source: FileStore,
  wanted: ReadonlyMap<string, StoredFile>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const now = await source.list(signal);
  const pointers = (files: ReadonlyMap<string, StoredFile>) =>
    [...files.values()].filter(({ path }) => isPointer(path)).map(({ path, sha256 }) => `${path} ${sha256}`);
  const added = [...now.keys()].some((path) => isTensors(path) && !wanted.has(path));
  if (added || pointers(now).join() !== pointers(wanted).join()) throw new ChangedError("its checkpoint was replaced");
}
