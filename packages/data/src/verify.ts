import { join } from "node:path";
import { DataError } from "@gmc/core";
import { knownSha256 } from "@gmc/storage";
import type { Dataset } from "./dataset.ts";
import { filesOf } from "./manifest.ts";

/** How far a verification is. */
export interface VerifyProgress {
  /** The file that was just found right, relative to the data set. */
  readonly file: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export interface VerifyOptions {
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** True reads every byte, also of files that were found right before and not touched since. */
  readonly fresh?: boolean;
  /** Where sums are remembered. Default: the process's cache folder. */
  readonly cache?: string;
}

/** What a verification took. */
export interface Verification {
  readonly files: number;
  readonly bytes: number;
  /** Of files whose sum was not known; the others were not touched since. */
  readonly bytesRead: number;
}

/**
 * Settles when every file of the opened splits has the sha256 that the manifest lists. A file's bytes are read once for
 * each state (size, inode, times) of the file, for all processes that share the cache folder: the second call takes
 * milliseconds.
 *
 * @throws {DataError} that names the first file that differs, with `details.path`, `expected` and `received`
 * @throws {CancelledError} when the signal fires
 */
export async function verifyDataset(
  dataset: Dataset,
  signal?: AbortSignal,
  { onProgress = () => {}, fresh = false, cache }: VerifyOptions = {},
): Promise<Verification> {
  const files = filesOf(dataset.manifest, dataset.splitNames);
  const bytesTotal = files.reduce((sum, file) => sum + file.bytes, 0);
  let [bytesDone, bytesRead] = [0, 0];
  for (const file of files) {
    const path = join(dataset.folder, file.path);
    const { sha256, read } = await knownSha256(path, { cache, signal, fresh });
    if (sha256 !== file.sha256) {
      throw new DataError(
        `${path} has the sha256 ${sha256}, the manifest says ${file.sha256}: it was changed or damaged. Build the data set again.`,
        { path, expected: file.sha256, received: sha256 },
      );
    }
    bytesDone += file.bytes;
    if (read) bytesRead += file.bytes;
    onProgress({ file: file.path, bytesDone, bytesTotal });
  }
  return { files: files.length, bytes: bytesTotal, bytesRead };
}
