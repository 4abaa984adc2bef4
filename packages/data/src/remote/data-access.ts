import { join } from "node:path";
import type { Logger } from "@gmc/core";
import { cacheFolder, type TransferOptions } from "@gmc/storage";

/** How far the files of a data set by URL are. */
export interface FetchProgress {
  /** The file under way, relative to the data set. */
  readonly file: string;
  /** Of all files that are wanted. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** What opening a data set may need when it is one by URL. */
export interface DataAccess {
  /** Splits to fetch; the others cannot be read. Default: all. */
  readonly splits?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default: silent. */
  readonly logger?: Logger | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
  /** Folder for fetched files and remembered sums. Default: the process's cache folder. */
  readonly cache?: string | undefined;
  /** Deadlines, retries and pieces. */
  readonly transfer?: Omit<TransferOptions, "signal"> | undefined;
}

/** Where fetched data sets lie, one folder each by the manifest's sum: its content cannot change. */
export const fetchedFolder = (cache: string | undefined, manifestSha256: string): string =>
  join(cache ?? cacheFolder(), "datasets", manifestSha256);
