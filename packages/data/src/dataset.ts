import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError, type Shape, sameShape, sizeOf } from "@gmc/core";
import { exists, openNpy } from "@gmc/storage";
import {
  type FileEntry,
  type Manifest,
  type ModalityEntry,
  parseManifest,
  requireSplit,
  type SplitEntry,
} from "./manifest.ts";
import type { DataAccess } from "./remote/data-access.ts";
import { isDatasetUrl } from "./remote/dataset-url.ts";
import { fetchDataset } from "./remote/fetch-dataset.ts";
import { fetchManifest } from "./remote/fetch-manifest.ts";
import { BYTES_PER_NUMBER } from "./row-decoder.ts";
import type { RowFile } from "./row-file.ts";
import { Split } from "./split.ts";

/** What a model needs to know of a modality. */
export interface Modality {
  readonly name: string;
  readonly kind: ModalityEntry["kind"];
  /** Of one sample, channels last; of a label [classes]. */
  readonly shape: Shape;
}

/** A data set, open for reading by range: memory does not depend on its size. */
export class Dataset {
  /** The folder or URL, as given. */
  readonly path: string;
  /** Where the files are on this machine; of a data set by URL a folder in the cache. */
  readonly folder: string;
  readonly manifest: Manifest;
  readonly #splits: ReadonlyMap<string, Split>;

  constructor(path: string, folder: string, manifest: Manifest, splits: ReadonlyMap<string, Split>) {
    this.path = path;
    this.folder = folder;
    this.manifest = manifest;
    this.#splits = splits;
  }

  /** In the order of the manifest. */
  get modalities(): readonly Modality[] {
    return this.manifest.modalities;
  }

  /** Names of the classes; undefined for a set without labels. */
  get classes(): readonly string[] | undefined {
    return this.manifest.classes;
  }

  /** Of the manifest, and so of all content; equal sums are equal data. */
  get sha256(): string {
    return this.manifest.sha256;
  }

  get splitNames(): readonly string[] {
    return [...this.#splits.keys()];
  }

  /** @throws {DataError} that names the splits there are */
  split(name: string): Split {
    const split = this.#splits.get(name);
    if (split) return split;
    requireSplit(this.path, this.manifest, name);
    const opened = this.splitNames.map((known) => `"${known}"`).join(", ");
    throw new DataError(`${this.path} was opened for ${opened} only, not for split "${name}".`, {
      path: this.path,
      split: name,
    });
  }

  /** Closes the files; reading afterwards is an error. */
  async close(): Promise<void> {
    for (const split of this.#splits.values()) await split.close();
  }
}

/**
 * Opens a data set by its folder or http(s) URL: reads the manifest and compares every file's size, type and shape with
 * it. A folder's sums are left to `verifyDataset`; of a URL, the files that the cache lacks are fetched first, and each
 * file's sum is checked before it is used.
 *
 * @param path    a folder, or the URL that `gmc data serve` prints
 * @param access  what fetching needs; of a folder nothing but `splits`, the splits to open
 * @throws {DataError} when it is no data set, cannot be reached, or a file is missing or not as the manifest says
 * @throws {CancelledError} when the signal fires while files are fetched
 */
export async function openDataset(path: string, access: DataAccess = {}): Promise<Dataset> {
  const { manifest, folder } = isDatasetUrl(path)
    ? await fetchDataset(path, access)
    : { manifest: await readManifest(path), folder: path };
  const splits = new Map<string, Split>();
  for (const name of access.splits ?? Object.keys(manifest.splits)) {
    splits.set(name, await openSplit(path, folder, name, requireSplit(path, manifest, name), manifest));
  }
  return new Dataset(path, folder, manifest, splits);
}

/** The manifest of the data set in a folder or at a URL. @throws {DataError} when there is none, or it is damaged */
export async function readManifest(path: string, access: DataAccess = {}): Promise<Manifest> {
  if (isDatasetUrl(path)) return fetchManifest(path, access);
  const file = manifestPath(path);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new DataError(
      `${path} is not a data set: it has no readable manifest.json. Make one with \`gmc data synth\`, \`build\` or \`import\`.`,
      { path: file },
      { cause },
    );
  });
  return parseManifest(text, file);
}

/** True for a folder with a manifest, and for every URL: whether that is a data set shows when it is read. */
export const datasetExists = async (path: string): Promise<boolean> => isDatasetUrl(path) || exists(manifestPath(path));

const manifestPath = (folder: string): string => join(folder, "manifest.json");

async function openSplit(
  path: string,
  folder: string,
  name: string,
  entry: SplitEntry,
  manifest: Manifest,
): Promise<Split> {
  const files = new Map<string, RowFile>();
  for (const modality of manifest.modalities) {
    const file = entry.files[modality.name];
    if (modality.kind === "label" || !file) continue;
    files.set(modality.name, await describeFile(folder, file, entry.samples, modality));
  }
  const stored = { shape: [], dtype: "int32", scale: 1, offset: 0 } as const;
  const labels = entry.labels ? await describeFile(folder, entry.labels, entry.samples, stored) : undefined;
  return new Split({
    name,
    dataset: path,
    samples: entry.samples,
    modalities: manifest.modalities,
    files,
    labels,
    classes: manifest.classes?.length,
  });
}

/** Where the file's rows lie, once size, type and shape are as the manifest says. */
async function describeFile(
  folder: string,
  { path, bytes }: FileEntry,
  samples: number,
  stored: Pick<RowFile, "dtype" | "scale" | "offset"> & { readonly shape: Shape },
): Promise<RowFile> {
  const whole = join(folder, path);
  const found = await stat(whole).catch((cause: unknown) => {
    throw new DataError(
      `${whole} is missing, but the manifest lists it; build the data set again.`,
      { path: whole },
      { cause },
    );
  });
  if (found.size !== bytes) {
    throw new DataError(
      `${whole} has ${found.size} bytes, the manifest says ${bytes}: it was cut short or replaced. Build the data set again.`,
      { path: whole, expected: bytes, received: found.size },
    );
  }
  const npy = await openNpy(whole);
  await npy.close();
  const expected = [samples, ...stored.shape];
  if (npy.dtype !== stored.dtype || !sameShape(npy.shape, expected)) {
    throw new DataError(
      `${whole} holds ${npy.dtype} [${npy.shape}], the manifest says ${stored.dtype} [${expected}].`,
      { path: whole },
    );
  }
  const width = sizeOf(stored.shape);
  const dataStart = bytes - samples * width * BYTES_PER_NUMBER[stored.dtype];
  const { dtype, scale, offset } = stored;
  return { path: whole, rows: samples, width, dtype, scale, offset, dataStart };
}
