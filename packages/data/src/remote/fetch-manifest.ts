import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataError, silentLogger } from "@gmc/core";
import { cacheFolder, fetchText, writeFileAtomic } from "@gmc/storage";
import { type FileEntry, filesOf, type Manifest, parseManifest } from "../manifest.ts";
import type { DataAccess } from "./data-access.ts";
import { datasetUrl, fileUrl } from "./dataset-url.ts";

/**
 * The manifest that a URL serves now. Where the server cannot be reached, the one that was served last, with a warning:
 * whoever has all files can go on without it.
 *
 * @throws {DataError} when there is none, it is damaged, or the server cannot be reached and nothing is known of it
 */
export async function fetchManifest(path: string, access: DataAccess = {}): Promise<Manifest> {
  const base = datasetUrl(path);
  try {
    const manifest = await servedManifest(base, access);
    await remember(base, manifest, access);
    return manifest;
  } catch (error) {
    if (!(error instanceof DataError) || !(error.cause instanceof Error)) throw error; // it was reached
    const known = await recall(base, access);
    if (!known) throw unreachable(base, error);
    (access.logger ?? silentLogger).warn("data.offline", {
      url: base.href,
      reason: error.message,
      sha256: known.sha256,
    });
    return known;
  }
}

/** The manifest at the URL, whatever is remembered. @throws {DataError} */
export async function servedManifest(base: URL, { signal, transfer }: DataAccess): Promise<Manifest> {
  const url = fileUrl(base, "manifest.json");
  const text = await fetchText(url, { ...transfer, signal });
  if (text === undefined) {
    throw new DataError(
      `${base.href} is not a data set: it has no manifest.json. Serve a data set's folder with \`gmc data serve DIR\`, or name the URL below which its manifest.json lies.`,
      { url: url.href },
    );
  }
  const manifest = parseManifest(text, url.href);
  for (const file of filesOf(manifest)) checkPath(file, url);
  return manifest;
}

/** A manifest from elsewhere decides where files are written: only plain names below the data set's folder. */
function checkPath({ path }: FileEntry, url: URL): void {
  const plain = path.split("/").every((part) => /^[^.\\/:\0][^\\/:\0]*$/.test(part));
  if (plain && path !== "manifest.json") return;
  throw new DataError(`${url.href} names the file "${path}", which is no plain path inside the data set's folder.`, {
    url: url.href,
    path,
  });
}

function unreachable(base: URL, cause: DataError): DataError {
  return new DataError(
    `The data set at ${base.href} cannot be reached: ${cause.message} Check that \`gmc data serve\` runs there, listens on an address this machine can reach (--host), and that no firewall is between.`,
    { ...cause.details, url: base.href },
    { cause },
  );
}

async function remember(base: URL, manifest: Manifest, { cache }: DataAccess): Promise<void> {
  const path = memoryPath(base, cache);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomic(path, JSON.stringify(manifest));
  } catch {} // a cache that cannot be written shows when files come
}

const recall = (base: URL, { cache }: DataAccess): Promise<Manifest | undefined> =>
  readFile(memoryPath(base, cache), "utf8")
    .then((text) => parseManifest(text, base.href))
    .catch(() => undefined);

const memoryPath = (base: URL, cache: string | undefined): string =>
  join(cache ?? cacheFolder(), "urls", `${createHash("sha256").update(base.href).digest("hex").slice(0, 32)}.json`);
