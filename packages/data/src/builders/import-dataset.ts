import { dirname, resolve } from "node:path";
import { CancelledError, ConfigError, DataError, sizeOf } from "@gmc/core";
import { type DatasetWriter, type ModalityDefinition, openDatasetWriter, type StoredRows } from "../dataset-writer.ts";
import type { Manifest } from "../manifest.ts";
import {
  channelsLast,
  openCsvRows,
  openIdxRows,
  openNpyRows,
  openNpzRows,
  type RowSource,
  type SampleLayout,
  sampleLayout,
} from "./import-arrays.ts";
import { type FileSource, type ImportConfig, readImportConfig } from "./import-config.ts";
import { type FileRows, openImageRows, openWavRows } from "./import-files.ts";
import { classesOf, classIndices, type RawLabels, readLabels } from "./import-labels.ts";
import { assignSplits } from "./import-splits.ts";

export interface ImportOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly samples: number }) => void;
}

/** Files that hold samples in the same order: all of them, or those of one split. */
interface Group {
  /** Set where the split has files of its own. */
  readonly split: string | undefined;
  readonly resolve: (path: string) => string;
  readonly sources: ReadonlyMap<string, RowSource>;
  readonly samples: number;
  readonly labels: RawLabels | undefined;
}

const BLOCK_BYTES = 8 << 20;

/**
 * Makes a data set from the files a YAML file names (see `ImportConfig`).
 *
 * @throws {UsageError} when something is at `out`
 * @throws {ConfigError} naming file, line and key
 * @throws {DataError} naming file and row, or the modality and the sample that lacks it
 * @throws {CancelledError} when the signal fires; nothing is left behind
 */
export async function importDataset(yamlPath: string, out: string, options: ImportOptions = {}): Promise<Manifest> {
  const config = await readImportConfig(yamlPath);
  const groups: Group[] = [];
  let writer: DatasetWriter | undefined;
  try {
    await openGroups(config, yamlPath, groups);
    const layouts = layoutsOf(config, groups);
    const labels = groups.flatMap((group) => group.labels ?? []);
    const classes = config.labels ? classesOf(config.labels.classes, labels) : undefined;
    writer = await openDatasetWriter({
      out,
      name: config.name,
      modalities: definitionsOf(config, groups, layouts),
      ...(classes ? { classes } : {}),
      source: JSON.parse(JSON.stringify(config)),
    });
    for (const group of groups) await writeGroup(writer, group, config, layouts, classes, options);
    return await writer.finish();
  } catch (cause) {
    if (!options.signal?.aborted) throw cause;
    throw new CancelledError("The import was cancelled; nothing is left.", {}, { cause });
  } finally {
    await writer?.close();
    for (const { sources } of groups) for (const source of sources.values()) await source.close();
  }
}

/** Opens everything; pushes each group once its sources are open, so that the caller closes them whatever happens. */
async function openGroups(config: ImportConfig, yamlPath: string, groups: Group[]): Promise<void> {
  const splits = config.splits.files ?? [undefined];
  for (const split of splits) {
    const resolvePath = (path: string): string => {
      if (split === undefined && path.includes("{split}")) {
        throw new ConfigError(`${yamlPath}: "${path}" names {split}, but splits.files names no splits.`, {
          path: yamlPath,
        });
      }
      return resolve(dirname(yamlPath), path.replaceAll("{split}", split ?? ""));
    };
    const sources = new Map<string, RowSource>();
    groups.push({ split, resolve: resolvePath, sources, samples: 0, labels: undefined });
    for (const [name, source] of Object.entries(config.modalities)) {
      if (source.format !== "label") sources.set(name, await openSource(name, source, config, resolvePath));
    }
    if (sources.size === 0) throw new ConfigError(`${yamlPath}: no modality is read from files.`, { path: yamlPath });
    const samples = countSamples(sources, split);
    const labels = config.labels
      ? await readLabels(config.labels, resolvePath, (name) => fileRowsOf(sources.get(name)))
      : undefined;
    if (labels && labels.values.length !== samples) {
      throw new DataError(`${inSplit(split)}There are ${labels.values.length} labels for ${samples} samples.`, {
        labels: labels.values.length,
        samples,
      });
    }
    groups[groups.length - 1] = { split, resolve: resolvePath, sources, samples, labels };
  }
}

function openSource(
  name: string,
  source: FileSource,
  config: ImportConfig,
  resolvePath: (path: string) => string,
): Promise<RowSource> {
  switch (source.format) {
    case "npy":
      return openNpyRows(resolvePath(source.file));
    case "npz":
      return openNpzRows(resolvePath(source.file), source.key);
    case "idx":
      return openIdxRows(resolvePath(source.file));
    case "csv":
      return openCsvRows(resolvePath(source.file), source.columns, columnsTaken(source.file, config));
    case "images":
      return openImageRows(name, source, resolvePath);
    case "wav":
      return openWavRows(name, source, resolvePath);
    default:
      return source satisfies never;
  }
}

/** Columns of a csv file that are labels or splits. */
function columnsTaken(file: string, { labels, splits }: ImportConfig): string[] {
  const taken: string[] = [];
  if (labels?.format === "csv" && labels.file === file) taken.push(labels.column);
  if (splits.column?.file === file) taken.push(splits.column.column);
  return taken;
}

/** Samples of a group. @throws {DataError} naming the modality and the sample that lacks it */
function countSamples(sources: ReadonlyMap<string, RowSource>, split: string | undefined): number {
  const named = [...sources].filter(([, source]) => source.ids);
  const everyId = [...new Set(named.flatMap(([, source]) => source.ids ?? []))].sort();
  for (const [name, source] of named) {
    const own = new Set(source.ids);
    const lacking = everyId.find((id) => !own.has(id));
    if (lacking === undefined) continue;
    throw new DataError(
      `${inSplit(split)}Sample "${lacking}" lacks modality "${name}": no file of that name is in its folder. Every sample needs all modalities.`,
      { modality: name, sample: lacking },
    );
  }
  const counts = [...sources].map(([name, { rows }]) => ({ name, rows }));
  const samples = Math.max(...counts.map(({ rows }) => rows));
  const short = counts.find(({ rows }) => rows < samples);
  const full = counts.find(({ rows }) => rows === samples);
  if (!short || !full) return samples;
  throw new DataError(
    `${inSplit(split)}Sample ${short.rows} lacks modality "${short.name}": it has ${short.rows} samples, "${full.name}" has ${samples}. ` +
      "Every sample needs all modalities.",
    { modality: short.name, sample: short.rows },
  );
}

const inSplit = (split: string | undefined): string => (split === undefined ? "" : `Split "${split}": `);

const fileRowsOf = (source: RowSource | undefined): FileRows | undefined =>
  source && "files" in source ? (source as FileRows) : undefined;

/** By modality; the same in every group. */
function layoutsOf(config: ImportConfig, groups: readonly Group[]): ReadonlyMap<string, SampleLayout> {
  const layouts = new Map<string, SampleLayout>();
  const [first, ...others] = groups;
  for (const [name, source] of first?.sources ?? []) {
    layouts.set(name, sampleLayout(name, source.rowShape, askedLayout(config, name)));
    for (const { sources, split } of others) {
      const other = sources.get(name);
      if (other?.rowShape.join() === source.rowShape.join() && other.dtype === source.dtype) continue;
      throw new DataError(
        `Modality "${name}": samples are ${source.dtype} [${source.rowShape}] in split "${first?.split}", ${other?.dtype} [${other?.rowShape}] in "${split}".`,
        { modality: name },
      );
    }
  }
  return layouts;
}

function askedLayout(config: ImportConfig, name: string): Parameters<typeof sampleLayout>[2] {
  const source = config.modalities[name];
  if (source?.format === "images") return { kind: "image", channels: "last" };
  if (source?.format === "wav") return { kind: source.features === "raw" ? "vector" : "spectrogram", channels: "last" };
  if (!source || source.format === "label") return { channels: "last" };
  return { kind: source.kind, shape: source.shape, channels: source.channels };
}

function definitionsOf(
  config: ImportConfig,
  groups: readonly Group[],
  layouts: ReadonlyMap<string, SampleLayout>,
): ModalityDefinition[] {
  return Object.entries(config.modalities).map(([name, source]) => {
    const layout = layouts.get(name);
    const rows = groups[0]?.sources.get(name);
    if (source.format === "label" || !layout || !rows) return { name, kind: "label" };
    const { kind, shape } = layout;
    const { dtype } = rows;
    const byteImage = kind === "image" && dtype === "uint8";
    if (source.format === "images") return { name, kind, shape, dtype, scale: 1 / 255 };
    if (source.format === "wav") return { name, kind, shape, dtype };
    const { scale = byteImage ? 1 / 255 : 1, offset, display } = source;
    return { name, kind, shape, dtype, scale, offset, ...(display ? { display } : {}) };
  });
}

async function writeGroup(
  writer: DatasetWriter,
  group: Group,
  config: ImportConfig,
  layouts: ReadonlyMap<string, SampleLayout>,
  classes: readonly string[] | undefined,
  { signal, onProgress }: ImportOptions,
): Promise<void> {
  const { samples, sources, labels } = group;
  const indices = labels && classes ? classIndices(labels, classes) : undefined;
  const splits = config.splits.files
    ? new Array<string | undefined>(samples).fill(group.split)
    : await assignSplits(config.splits, samples, group.resolve);
  const rowBytes = Math.max(...[...sources.values()].map(({ rowShape }) => sizeOf(rowShape) * 4), 1);
  const block = Math.max(1, Math.min(512, Math.floor(BLOCK_BYTES / rowBytes)));
  for (let start = 0; start < samples; start += block) {
    signal?.throwIfAborted();
    const end = Math.min(samples, start + block);
    const rows = await readBlock(sources, layouts, start, end);
    for (const name of new Set(splits.slice(start, end))) {
      if (name === undefined) continue;
      const places = Array.from({ length: end - start }, (_, i) => i).filter((i) => splits[start + i] === name);
      const chosen = Object.fromEntries(
        Object.entries(rows).map(([modality, all]) => [modality, pick(all, places, all.length / (end - start))]),
      );
      const chosenLabels = indices ? places.map((i) => indices[start + i] ?? 0) : undefined;
      await writer.split(name).append(chosen, chosenLabels);
    }
    onProgress?.({ done: end, samples });
  }
}

async function readBlock(
  sources: ReadonlyMap<string, RowSource>,
  layouts: ReadonlyMap<string, SampleLayout>,
  start: number,
  end: number,
): Promise<Record<string, StoredRows>> {
  const rows: Record<string, StoredRows> = {};
  for (const [name, source] of sources) {
    const block = await source.read(start, end);
    const wrong = firstNonFinite(block);
    if (wrong >= 0) {
      const row = start + Math.floor(wrong / (block.length / (end - start)));
      throw new DataError(
        `${source.describe(row)}: sample ${row} of modality "${name}" holds ${block[wrong]}; every value must be finite. ` +
          "A sample that lacks a modality has to be left out.",
        { modality: name, sample: row },
      );
    }
    const layout = layouts.get(name);
    rows[name] = layout?.channelsFirst ? channelsLast(block, layout.shape) : block;
  }
  return rows;
}

function firstNonFinite(block: StoredRows): number {
  for (let i = 0; i < block.length; i++) if (!Number.isFinite(block[i])) return i;
  return -1;
}

/** Some rows of a block, one after another. */
function pick(block: StoredRows, places: readonly number[], rowLength: number): StoredRows {
  if (places.length * rowLength === block.length) return block;
  const picked = block.slice(0, places.length * rowLength);
  for (const [i, place] of places.entries()) {
    picked.set(block.subarray(place * rowLength, (place + 1) * rowLength), i * rowLength);
  }
  return picked;
}
