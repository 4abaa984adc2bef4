import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { DataError } from "@gmc/core";
import { parse } from "csv-parse";

/** Columns of a csv file as text. */
export interface CsvTable {
  readonly path: string;
  /** From the first line. */
  readonly columns: readonly string[];
  /** Cells, row after row. */
  readonly rows: readonly (readonly string[])[];
  /** Line of each row in the file, from 1. */
  readonly lines: readonly number[];
}

/**
 * A csv file with a header line, gzipped or not (by its name); cells are trimmed.
 *
 * @param delimiter  default: a comma, or a tab for `.tsv`
 * @throws {DataError} naming file and line, when a row has another number of cells, or two columns one name
 */
export async function readCsv(path: string, delimiter?: string): Promise<CsvTable> {
  const separator = delimiter ?? (/\.tsv(\.gz)?$/.test(path) ? "\t" : ",");
  const source = createReadStream(path);
  const parser = parse({ bom: true, trim: true, skip_empty_lines: true, info: true, delimiter: separator });
  const unpacked = path.endsWith(".gz") ? source.pipe(createGunzip()) : source;
  unpacked.on("error", (error: Error) => parser.destroy(error));
  source.on("error", (error: Error) => parser.destroy(error));
  unpacked.pipe(parser);
  const rows: string[][] = [];
  const lines: number[] = [];
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      rows.push(record);
      lines.push(info.lines);
    }
  } catch (cause) {
    throw new DataError(`${path}: ${(cause as Error).message}.`, { path }, { cause });
  }
  const columns = rows.shift();
  lines.shift();
  if (!columns) throw new DataError(`${path} is empty; its first line should name the columns.`, { path });
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) throw new DataError(`${path}: two columns are named "${twice}".`, { path });
  return { path, columns, rows, lines };
}

/** Place of a column. @throws {DataError} naming the columns there are */
export function columnIndex(table: CsvTable, column: string): number {
  const index = table.columns.indexOf(column);
  if (index >= 0) return index;
  throw new DataError(`${table.path} has no column "${column}"; it has ${table.columns.join(", ")}.`, {
    path: table.path,
    column,
  });
}

/** Cells of one column. */
export function csvColumn(table: CsvTable, column: string): string[] {
  const index = columnIndex(table, column);
  return table.rows.map((row) => row[index] ?? "");
}

/**
 * [rows, columns] numbers of some columns, row after row.
 *
 * @param columns  default: all
 * @throws {DataError} naming file, line and column of a cell that is empty or not a number
 */
export function csvNumbers(table: CsvTable, columns: readonly string[] = table.columns): Float32Array {
  const indices = columns.map((column) => columnIndex(table, column));
  const numbers = new Float32Array(table.rows.length * indices.length);
  let at = 0;
  for (const [r, row] of table.rows.entries()) {
    for (const [c, index] of indices.entries()) {
      const cell = row[index] ?? "";
      const number = cell === "" ? Number.NaN : Number(cell);
      if (!Number.isFinite(number)) {
        const what = cell === "" ? "is empty; every sample needs a number" : `holds "${cell}", which is not a number`;
        throw new DataError(`${table.path}:${table.lines[r]}: column "${columns[c]}" ${what}.`, {
          path: table.path,
          line: table.lines[r],
          column: columns[c],
        });
      }
      numbers[at++] = number;
    }
  }
  return numbers;
}
