import { join } from "node:path";
import { DataError, EnvironmentError, silentLogger } from "@gmc/core";
import { cacheFolder, exists, fetchFile, writeFileAtomic } from "@gmc/storage";
import { type FileEntry, filesOf, type Manifest, requireSplit } from "../manifest.ts";
import { type DataAccess, fetchedFolder } from "./data-access.ts";
import { datasetUrl, fileUrl } from "./dataset-url.ts";
import { fetchManifest, servedManifest } from "./fetch-manifest.ts";

/** A data set by URL whose wanted files are here, each with the sum the manifest lists. */
export interface FetchedDataset {
  readonly manifest: Manifest;
  /** Local folder, laid out like any data set's; it has a manifest.json once all splits are here. */
  readonly folder: string;
}

const LOG_EVERY_MS = 1000;

/**
 * Fetches what the cache lacks of the data set at a URL. Every byte comes at most once a host, however many processes,
 * runs and epochs read it.
 *
 * @throws {DataError} when the server cannot be reached, or serves other bytes than its manifest says
 * @throws {EnvironmentError} when the cache folder cannot be written, or is full
 * @throws {CancelledError} when the signal fires; the next call goes on from there
 */
export async function fetchDataset(path: string, access: DataAccess = {}): Promise<FetchedDataset> {
  const base = datasetUrl(path);
  const manifest = await fetchManifest(path, access);
  for (const name of access.splits ?? []) requireSplit(path, manifest, name);
  const folder = fetchedFolder(access.cache, manifest.sha256);
  await fetchFiles(base, folder, manifest, access).catch(async (error: unknown) => {
    throw await explained(base, manifest, access, error);
  });
  await completeFolder(folder, manifest);
  return { manifest, folder };
}

async function fetchFiles(base: URL, folder: string, manifest: Manifest, access: DataAccess): Promise<void> {
  const { logger = silentLogger, onProgress, signal, transfer, cache = cacheFolder() } = access;
  const files = filesOf(manifest, access.splits);
  const bytesTotal = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const began = performance.now();
  let [bytesBefore, fetched, loggedAt] = [0, 0, began];
  const tell = (file: FileEntry, bytesDone: number) => {
    const progress = { file: file.path, bytesDone: bytesBefore + bytesDone, bytesTotal };
    onProgress?.(progress);
    if (performance.now() - loggedAt < LOG_EVERY_MS) return;
    loggedAt = performance.now();
    logger.info("data.fetch", { url: base.href, ...progress });
  };
  for (const file of files) {
    const { path, bytes, sha256 } = file;
    const target = join(folder, path);
    const url = fileUrl(base, path);
    const onBytes = (done: number) => tell(file, done);
    if (await fetchFile({ ...transfer, url, target, bytes, sha256, cache, signal, onProgress: onBytes }))
      fetched += bytes;
    bytesBefore += bytes;
    tell(file, 0);
  }
  const wallMs = Math.round(performance.now() - began);
  if (fetched > 0) logger.info("data.fetched", { url: base.href, folder, bytes: fetched, wallMs });
}

/** The plain reason: a cache that cannot be written, or another data set at the URL by now. */
async function explained(base: URL, manifest: Manifest, access: DataAccess, error: unknown): Promise<unknown> {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (OF_CACHE.has(code)) return unwritable(access.cache ?? cacheFolder(), error as Error);
  if (!(error instanceof DataError) || error.details.expected === undefined) return error;
  const now = await servedManifest(base, access).catch(() => undefined);
  if (!now || now.sha256 === manifest.sha256) return error;
  return new DataError(
    `The data set at ${base.href} was replaced while it was fetched (its sha256 was ${manifest.sha256}, now it is ${now.sha256}); start again.`,
    { url: base.href, expected: manifest.sha256, received: now.sha256 },
    { cause: error },
  );
}

const OF_CACHE = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ENOSPC", "EDQUOT"]);

const unwritable = (cache: string, cause: Error): EnvironmentError =>
  new EnvironmentError(
    `The cache folder ${cache} cannot take the data set: ${cause.message}. Make room there, or name another folder in GMC_CACHE.`,
    { path: cache },
    { cause },
  );

/** Makes the folder a data set of its own once nothing is missing. */
async function completeFolder(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, "manifest.json");
  if (await exists(path)) return;
  const there = await Promise.all(filesOf(manifest).map((file) => exists(join(folder, file.path))));
  if (there.every(Boolean)) await writeFileAtomic(path, `${JSON.stringify(manifest, null, 2)}\n`);
}
