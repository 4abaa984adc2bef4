import { DataError } from "@gmc/core";
import type { NpyArray } from "@gmc/storage";
import { decodeNpy } from "@gmc/storage";
import { csvColumn, readCsv } from "../readers/csv.ts";
import { readIdx } from "../readers/idx.ts";
import { readNpzArray } from "../readers/npz.ts";
import { readSourceFile } from "../readers/source-file.ts";
import type { LabelSource } from "./import-config.ts";
import type { FileRows } from "./import-files.ts";

/** The label of every sample as text, and where it stands. */
export interface RawLabels {
  readonly values: readonly string[];
  describe(row: number): string;
}

/** Labels as a file (or the names of a modality's files) has them. */
export async function readLabels(
  source: LabelSource,
  resolve: (path: string) => string,
  fileRows: (modality: string) => FileRows | undefined,
): Promise<RawLabels> {
  if (source.format === "names") return labelsFromNames(source, fileRows(source.modality));
  const path = resolve(source.file);
  if (source.format === "csv") {
    const table = await readCsv(path);
    const values = csvColumn(table, source.column);
    const empty = values.indexOf("");
    if (empty < 0) return { values, describe: (row) => `${path}:${table.lines[row]}` };
    throw new DataError(
      `${path}:${table.lines[empty]}: column "${source.column}" is empty; sample ${empty} has no label.`,
      {
        path,
        line: table.lines[empty],
        sample: empty,
      },
    );
  }
  if (source.format === "npz") return labelsOfArray(await readNpzArray(path, source.key), `${path}[${source.key}]`);
  return labelsOfArray(
    source.format === "idx" ? await readIdx(path) : decodeNpy(await readSourceFile(path), path),
    path,
  );
}

/** Integers [N], or one-hot rows [N, C]. */
function labelsOfArray({ shape, data }: NpyArray, name: string): RawLabels {
  const [rows = 0, width = 1] = shape;
  if (shape.length < 1 || shape.length > 2) {
    throw new DataError(`${name}: labels have shape [${shape}], expected [N], or one-hot rows [N,C].`, { path: name });
  }
  const describe = (row: number): string => `${name}, row ${row}`;
  const values = Array.from({ length: rows }, (_, i) => {
    const row = Array.from(data.subarray(i * width, (i + 1) * width), Number);
    const label = width === 1 ? (row[0] ?? Number.NaN) : hotPlace(row);
    if (Number.isInteger(label)) return String(label);
    throw new DataError(`${describe(i)}: [${row.slice(0, 5)}] is neither an integer nor a one-hot row.`, {
      path: name,
      row: i,
    });
  });
  return { values, describe };
}

const hotPlace = (row: readonly number[]): number =>
  row.filter((value) => value === 0).length === row.length - 1 && row.includes(1) ? row.indexOf(1) : Number.NaN;

function labelsFromNames(source: Extract<LabelSource, { format: "names" }>, rows: FileRows | undefined): RawLabels {
  if (!rows) {
    throw new DataError(`labels.modality: "${source.modality}" is not a modality of image or wav files.`, {
      modality: source.modality,
    });
  }
  const pattern = source.pattern === undefined ? undefined : new RegExp(source.pattern);
  const values = rows.files.map(({ path, group }) => {
    const name = path.split(/[\\/]/).at(-1) ?? path;
    const label = pattern ? pattern.exec(name)?.[1] : group;
    if (label !== undefined && label !== "") return label;
    throw new DataError(
      pattern
        ? `${path}: its name does not match labels.pattern ${source.pattern}.`
        : `${path} lies in no folder that could name its class.`,
      { path },
    );
  });
  return { values, describe: rows.describe };
}

/**
 * Names of the classes over all splits: as asked for, else the distinct labels, in the order of numbers where all are.
 */
export function classesOf(asked: readonly string[] | undefined, all: readonly RawLabels[]): string[] {
  if (asked) return [...asked];
  const names = new Set<string>();
  for (const { values } of all) for (const value of values) names.add(value);
  const sorted = [...names];
  const numeric = sorted.every((name) => /^-?\d+$/.test(name));
  return sorted.sort((a, b) => (numeric ? Number(a) - Number(b) : a < b ? -1 : 1));
}

/**
 * Class index of every label: its place among the classes, or, where the classes were asked for and labels are
 * integers that are no names, the integer itself.
 *
 * @throws {DataError} naming a label that is no class and where it stands
 */
export function classIndices(labels: RawLabels, classes: readonly string[]): Int32Array {
  const places = new Map(classes.map((name, i) => [name, i]));
  return Int32Array.from(labels.values, (value, row) => {
    const number = /^\d+$/.test(value) ? Number(value) : -1;
    const place = places.get(value) ?? (number < classes.length ? number : -1);
    if (place >= 0) return place;
    throw new DataError(
      `${labels.describe(row)}: label "${value}" is none of the classes ${classes.slice(0, 20).join(", ")}.`,
      {
        row,
        label: value,
      },
    );
  });
}
