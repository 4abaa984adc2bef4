import { join } from "node:path";
import { DataError } from "@gmc/core";
import { sha256OfFile } from "@gmc/storage";
import { openDataset } from "./dataset.ts";
import type { Manifest } from "./manifest.ts";

/** How far a verification is. */
export interface VerifyProgress {
  /** The file that was just found right, relative to the data set. */
  readonly file: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/**
 * The manifest of a data set whose every file has the sha256 it lists: reads all bytes once.
 *
 * @throws {DataError} that names the first file that differs
 */
export async function verifyDataset(
  path: string,
  onProgress: (progress: VerifyProgress) => void = () => {},
  signal?: AbortSignal,
): Promise<Manifest> {
  const dataset = await openDataset(path);
  await dataset.close();
  const files = Object.values(dataset.manifest.splits).flatMap(({ files, labels }) => [
    ...Object.values(files),
    ...(labels ? [labels] : []),
  ]);
  const bytesTotal = files.reduce((sum, file) => sum + file.bytes, 0);
  let bytesDone = 0;
  for (const file of files) {
    const received = await sha256OfFile(join(path, file.path), signal);
    if (received !== file.sha256) {
      throw new DataError(
        `${join(path, file.path)} has the sha256 ${received}, the manifest says ${file.sha256}: it was changed or damaged. ` +
          "Build the data set again.",
        { path: join(path, file.path), expected: file.sha256, received },
      );
    }
    bytesDone += file.bytes;
    onProgress({ file: file.path, bytesDone, bytesTotal });
  }
  return dataset.manifest;
}
