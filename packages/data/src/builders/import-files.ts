import { access } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "@gmc/core";
import { csvColumn, readCsv } from "../readers/csv.ts";
import { listFiles } from "../readers/folder.ts";
import { IMAGE_EXTENSIONS, readImage } from "../readers/image.ts";
import { framesOf, type LogMelOptions, logMel } from "../readers/log-mel.ts";
import { readWav } from "../readers/wav.ts";
import type { RowSource } from "./import-arrays.ts";
import type { FileSource } from "./import-config.ts";

type ImagesSource = Extract<FileSource, { readonly format: "images" }>;
type WavSource = Extract<FileSource, { readonly format: "wav" }>;

/** A file that holds one sample. */
interface SampleFile {
  readonly path: string;
  /** Name of the subfolder it lies in. */
  readonly group: string;
}

/** Rows that are files, one a sample, with what their names say. */
export interface FileRows extends RowSource {
  readonly files: readonly SampleFile[];
}

/** One image file a row, as bytes [height, width, channels]. */
export async function openImageRows(
  name: string,
  source: ImagesSource,
  resolve: (path: string) => string,
): Promise<FileRows> {
  const { height, width, channels } = source;
  const found = await sampleFiles(name, source, resolve, IMAGE_EXTENSIONS);
  return {
    ...found,
    rowShape: [height, width, channels],
    dtype: "uint8",
    read: async (start, end) => {
      const images = await Promise.all(found.files.slice(start, end).map(({ path }) => readImage(path, source)));
      return Uint8Array.from(Buffer.concat(images));
    },
  };
}

/** One recording a row: its log-mel [frames, bands], or the samples themselves [length]. */
export async function openWavRows(
  name: string,
  source: WavSource,
  resolve: (path: string) => string,
): Promise<FileRows> {
  const found = await sampleFiles(name, source, resolve, [".wav"]);
  const options: LogMelOptions = { ...source, highest: source.highest ?? source.sampleRate / 2 };
  const rowShape = source.features === "raw" ? [source.length] : [framesOf(options), source.bands];
  const length = rowShape.reduce((a, b) => a * b, 1);
  return {
    ...found,
    rowShape,
    dtype: "float32",
    read: async (start, end) => {
      const rows = new Float32Array((end - start) * length);
      for (let i = start; i < end; i++) {
        const samples = await readAtRate(found.files[i]?.path ?? "", source.sampleRate);
        const row =
          source.features === "raw" ? Float32Array.from(samples.subarray(0, length)) : logMel(samples, options);
        rows.set(row, (i - start) * length);
      }
      return rows;
    },
  };
}

async function readAtRate(path: string, sampleRate: number): Promise<Float64Array> {
  const recording = await readWav(path);
  if (recording.sampleRate === sampleRate) return recording.samples;
  throw new DataError(`${path}: recorded at ${recording.sampleRate} Hz, sampleRate says ${sampleRate}.`, { path });
}

async function sampleFiles(
  name: string,
  source: ImagesSource | WavSource,
  resolve: (path: string) => string,
  extensions: readonly string[],
) {
  const folder = resolve(source.folder);
  const common = { close: async () => {} };
  if (!source.list) {
    const files = await listFiles(folder, extensions);
    const ids = files.map(({ stem }) => stem);
    const twice = ids.find((id, i) => id === ids[i - 1]);
    if (twice !== undefined)
      throw new DataError(`${folder} has two files for the sample "${twice}".`, { path: folder });
    return { ...common, files, ids, rows: files.length, describe: (row: number) => files[row]?.path ?? "" };
  }
  const table = await readCsv(resolve(source.list.file));
  const files: SampleFile[] = [];
  for (const [i, cell] of csvColumn(table, source.list.column).entries()) {
    const path = join(folder, cell);
    const missing =
      cell === ""
        ? "the cell is empty"
        : await access(path).then(
            () => undefined,
            () => `${path} does not exist`,
          );
    if (missing !== undefined) {
      throw new DataError(
        `${table.path}:${table.lines[i]}: sample ${i} lacks modality "${name}": ${missing}. Every sample needs all modalities.`,
        { path: table.path, line: table.lines[i], sample: i, modality: name },
      );
    }
    files.push({ path, group: path.split(/[\\/]/).at(-2) ?? "" });
  }
  return { ...common, files, rows: files.length, describe: (row: number) => files[row]?.path ?? "" };
}
