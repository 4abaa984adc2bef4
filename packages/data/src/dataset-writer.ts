import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DataError, type Shape, sizeOf } from "@gmc/core";
import { createNpy, type NpyWriter, sha256OfFile } from "@gmc/storage";
import type { z } from "zod";
import type { FileEntry, FileModalityEntry, ModalityEntry, SplitEntry, StoredDType } from "./manifest.ts";
import { Manifest, manifestSha256 } from "./manifest.ts";
import { type StagedFolder, stageFolder } from "./stage-folder.ts";
import { ValueStatistics } from "./value-statistics.ts";

/** A modality to be written. A `label` is the one-hot of the labels and has no file. */
export type ModalityDefinition =
  | {
      readonly name: string;
      readonly kind: FileModalityEntry["kind"];
      /** Of one sample, channels last. */
      readonly shape: Shape;
      readonly dtype: StoredDType;
      /** A stored number v means v·scale + offset; 1 and 0 unless given. */
      readonly scale?: number;
      readonly offset?: number;
      /** The vector is x0, y0, x1, y1, … of a pen, y up. */
      readonly display?: "trajectory";
    }
  | { readonly name: string; readonly kind: "label" };

export interface DatasetWriterOptions {
  /** The folder to make; nothing may be there. */
  readonly out: string;
  readonly name: string;
  /** In the order models will see them. */
  readonly modalities: readonly ModalityDefinition[];
  /** Names of the classes; absent: a set without labels. */
  readonly classes?: readonly string[];
  /** Where the data came from and how it was made, for people; no times or machine names, so that equal data have equal sums. */
  readonly source: z.infer<typeof Manifest>["source"];
}

/** Arrays a writer takes, one a stored number type. */
export type StoredRows = Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array | Float32Array | Float64Array;

type FileDefinition = Exclude<ModalityDefinition, { readonly kind: "label" }>;

/**
 * A data set's folder written sample after sample in constant memory; it appears at its path when it is finished.
 * Call `finish`, or `close` to drop it (in a `finally`: after `finish` it does nothing).
 */
export class DatasetWriter {
  readonly #options: DatasetWriterOptions;
  readonly #staged: StagedFolder;
  readonly #splits = new Map<string, SplitWriter>();

  constructor(options: DatasetWriterOptions, staged: StagedFolder) {
    this.#options = options;
    this.#staged = staged;
  }

  /** The split of that name; made by the first call. */
  split(name: string): SplitWriter {
    const known = this.#splits.get(name);
    if (known) return known;
    const split = new SplitWriter(this.#staged.path, name, fileDefinitions(this.#options), this.#options.classes);
    this.#splits.set(name, split);
    return split;
  }

  /** Closes the files, writes the manifest and puts the folder in its place. @throws {DataError} for a split without samples */
  async finish(): Promise<Manifest> {
    const { name, classes, source } = this.#options;
    const splits: Record<string, SplitEntry> = {};
    for (const split of this.#splits.values()) splits[split.name] = await split.finish();
    const described = this.#splits.get("train") ?? this.#splits.values().next().value;
    if (!described) throw new DataError(`Data set "${name}" has no split; append samples to one first.`);
    const content = {
      format: "gmc-dataset" as const,
      version: 1 as const,
      name,
      modalities: this.#options.modalities.map((definition) => this.#entry(definition, described)),
      ...(classes ? { classes: [...classes] } : {}),
      splits,
      source,
    };
    const manifest = Manifest.parse({ ...content, sha256: manifestSha256(content) });
    await writeFile(join(this.#staged.path, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`, {
      flush: true,
    });
    await this.#staged.commit();
    return manifest;
  }

  /** Drops what was written; does nothing after `finish`. */
  async close(): Promise<void> {
    for (const split of this.#splits.values()) await split.close();
    await this.#staged.discard();
  }

  #entry(definition: ModalityDefinition, described: SplitWriter): ModalityEntry {
    if (definition.kind === "label") {
      return { name: definition.name, kind: "label", shape: [this.#options.classes?.length ?? 0] };
    }
    const { name, kind, shape, dtype, display, scale = 1, offset = 0 } = definition;
    const statistics = described.statistics(name, scale, offset);
    return { name, kind, shape: [...shape], dtype, scale, offset, ...(display ? { display } : {}), statistics };
  }
}

/** One split of a data set under way. */
export class SplitWriter {
  readonly name: string;
  readonly #folder: string;
  readonly #definitions: readonly FileDefinition[];
  readonly #classes: readonly string[] | undefined;
  readonly #files = new Map<string, NpyWriter>();
  readonly #statistics = new Map<string, ValueStatistics>();
  #samples = 0;

  constructor(
    datasetFolder: string,
    name: string,
    definitions: readonly FileDefinition[],
    classes: readonly string[] | undefined,
  ) {
    this.name = name;
    this.#folder = datasetFolder;
    this.#definitions = definitions;
    this.#classes = classes;
  }

  /** Samples appended so far. */
  get samples(): number {
    return this.#samples;
  }

  /**
   * Adds samples; the arrays may be reused once the promise is settled. Await it before the next call.
   *
   * @param rows    by modality: stored numbers, sample after sample, of the modality's dtype
   * @param labels  class indices, one a sample; exactly where the set has classes
   * @throws {DataError} that names split, sample and modality when something is missing, not finite or out of range
   */
  async append(rows: Readonly<Record<string, StoredRows>>, labels?: ArrayLike<number>): Promise<void> {
    const added = this.#countSamples(rows, labels);
    for (const { name, shape } of this.#definitions) {
      const bad = this.#statisticsOf(name).add(rows[name] ?? []);
      if (bad >= 0) {
        const sample = this.#samples + Math.floor(bad / sizeOf(shape));
        throw this.#refuse(
          `sample ${sample} of modality "${name}" holds ${rows[name]?.[bad]}; every value must be finite`,
        );
      }
    }
    for (const { name, dtype, shape } of this.#definitions) {
      const file = await this.#file(name, dtype, shape);
      await file.append(rows[name] ?? new Uint8Array(0));
    }
    if (this.#classes) await (await this.#file("labels", "int32", [])).append(Int32Array.from(labels ?? []));
    this.#samples += added;
  }

  /** Statistics of what was appended, as values. */
  statistics(modality: string, scale: number, offset: number): ReturnType<ValueStatistics["result"]> {
    return this.#statisticsOf(modality).result(scale, offset);
  }

  /** Puts the files in their places and describes them. */
  async finish(): Promise<SplitEntry> {
    if (this.#samples === 0) throw this.#refuse("it has no samples");
    const files: Record<string, FileEntry> = {};
    let labels: FileEntry | undefined;
    for (const [name, file] of this.#files) {
      await file.finish();
      const path = `${this.name}/${name}.npy`;
      const whole = join(this.#folder, path);
      const entry = { path, sha256: await sha256OfFile(whole), bytes: (await stat(whole)).size };
      if (name === "labels") labels = entry;
      else files[name] = entry;
    }
    return { samples: this.#samples, files, ...(labels ? { labels } : {}) };
  }

  /** Closes what is open. */
  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }

  #countSamples(rows: Readonly<Record<string, StoredRows>>, labels: ArrayLike<number> | undefined): number {
    const unknown = Object.keys(rows).find((name) => !this.#definitions.some((definition) => definition.name === name));
    if (unknown !== undefined) {
      const known = this.#definitions.map((definition) => definition.name).join(", ");
      throw this.#refuse(`there is no modality "${unknown}" (there are ${known})`);
    }
    const counts = this.#definitions.map(({ name, shape }) => this.#countRows(name, shape, rows[name]));
    if (this.#classes) counts.push(this.#countLabels(labels, this.#classes));
    else if (labels) throw this.#refuse("labels were given, but the data set names no classes");
    const [first = 0] = counts;
    if (counts.some((count) => count !== first)) {
      const names = [...this.#definitions.map((definition) => definition.name), "labels"];
      const list = counts.map((count, i) => `${names[i]} ${count}`).join(", ");
      throw this.#refuse(
        `from sample ${this.#samples} on, modalities differ in samples (${list}); each sample needs all of them`,
      );
    }
    return first;
  }

  #countRows(name: string, shape: Shape, rows: StoredRows | undefined): number {
    if (!rows)
      throw this.#refuse(
        `from sample ${this.#samples} on, modality "${name}" is missing; each sample needs all of them`,
      );
    const count = rows.length / sizeOf(shape);
    if (Number.isInteger(count)) return count;
    throw this.#refuse(
      `modality "${name}" came with ${rows.length} numbers, not a multiple of [${shape}] = ${sizeOf(shape)}`,
    );
  }

  #countLabels(labels: ArrayLike<number> | undefined, classes: readonly string[]): number {
    if (!labels) throw this.#refuse(`from sample ${this.#samples} on, labels are missing; the data set names classes`);
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i] ?? -1;
      if (!Number.isInteger(label) || label < 0 || label >= classes.length) {
        throw this.#refuse(`sample ${this.#samples + i} has label ${label}; expected 0 to ${classes.length - 1}`);
      }
    }
    return labels.length;
  }

  async #file(name: string, dtype: StoredDType, shape: Shape): Promise<NpyWriter> {
    const known = this.#files.get(name);
    if (known) return known;
    await mkdir(join(this.#folder, this.name), { recursive: true });
    const file = await createNpy(join(this.#folder, this.name, `${name}.npy`), dtype, shape);
    this.#files.set(name, file);
    return file;
  }

  #statisticsOf(name: string): ValueStatistics {
    const known = this.#statistics.get(name) ?? new ValueStatistics();
    this.#statistics.set(name, known);
    return known;
  }

  #refuse(what: string): DataError {
    return new DataError(`Split "${this.name}": ${what}.`, { split: this.name, sample: this.#samples });
  }
}

/**
 * Starts a data set in a temporary folder beside `out`.
 *
 * @throws {UsageError} when something is at `out`
 * @throws {DataError} when the modalities contradict each other
 */
export async function openDatasetWriter(options: DatasetWriterOptions): Promise<DatasetWriter> {
  const names = options.modalities.map((modality) => modality.name);
  if (names.length === 0) throw new DataError(`Data set "${options.name}" has no modality.`);
  if (new Set(names).size < names.length) throw new DataError(`Two modalities share a name (${names.join(", ")}).`);
  const label = options.modalities.find((modality) => modality.kind === "label");
  if (label && !options.classes) {
    throw new DataError(`Modality "${label.name}" is the label, but the data set names no classes.`);
  }
  if (fileDefinitions(options).some(({ name }) => name === "labels")) {
    throw new DataError('A modality cannot be named "labels": that is the file of the class indices.');
  }
  return new DatasetWriter(options, await stageFolder(options.out));
}

const fileDefinitions = ({ modalities }: DatasetWriterOptions): readonly FileDefinition[] =>
  modalities.filter((modality) => modality.kind !== "label");
