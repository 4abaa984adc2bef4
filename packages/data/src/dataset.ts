import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError, type Shape, sameShape, sizeOf } from "@gmc/core";
import { openNpy } from "@gmc/storage";
import { type FileEntry, type Manifest, type ModalityEntry, parseManifest, type SplitEntry } from "./manifest.ts";
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

/** A data set's folder, open for reading by range: memory does not depend on its size. */
export class Dataset {
  /** The folder, as given. */
  readonly path: string;
  readonly manifest: Manifest;
  readonly #splits: ReadonlyMap<string, Split>;

  constructor(path: string, manifest: Manifest, splits: ReadonlyMap<string, Split>) {
    this.path = path;
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
    const known = this.splitNames.map((known) => `"${known}"`).join(", ");
    throw new DataError(`${this.path} has no split "${name}"; it has ${known}.`, { path: this.path, split: name });
  }

  /** Closes the files; reading afterwards is an error. */
  async close(): Promise<void> {
    for (const split of this.#splits.values()) await split.close();
  }
}

/**
 * Opens a data set's folder: reads the manifest and compares every file's size, type and shape with it (not its
 * sum: `verifyDataset` does).
 *
 * @throws {DataError} when it is no data set, or a file is missing or not as the manifest says
 */
export async function openDataset(path: string): Promise<Dataset> {
  const manifest = await readManifest(path);
  const splits = new Map<string, Split>();
  for (const [name, entry] of Object.entries(manifest.splits)) {
    splits.set(name, await openSplit(path, name, entry, manifest));
  }
  return new Dataset(path, manifest, splits);
}

/** The manifest of the data set in this folder. @throws {DataError} when there is none, or it is damaged */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, "manifest.json");
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new DataError(
      `${folder} is not a data set: it has no readable manifest.json. Make one with \`gmc data synth\`, \`build\` or \`import\`.`,
      { path },
      { cause },
    );
  });
  return parseManifest(text, path);
}

async function openSplit(folder: string, name: string, entry: SplitEntry, manifest: Manifest): Promise<Split> {
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
    dataset: folder,
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
