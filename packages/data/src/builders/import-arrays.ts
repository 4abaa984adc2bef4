import { DataError, type Shape, sameShape, sizeOf } from "@gmc/core";
import { type DType, type NumericArray, openNpy } from "@gmc/storage";
import type { StoredRows } from "../dataset-writer.ts";
import type { StoredDType } from "../manifest.ts";
import { csvNumbers, readCsv } from "../readers/csv.ts";
import { readIdx } from "../readers/idx.ts";
import { readNpzArray } from "../readers/npz.ts";

/** Rows of one modality, read by range. */
export interface RowSource {
  readonly rows: number;
  /** Of one sample, as the file has it. */
  readonly rowShape: Shape;
  readonly dtype: StoredDType;
  /** What pairs its samples with those of other sources; absent: their place. */
  readonly ids?: readonly string[];
  /** Sample i, for messages. */
  describe(row: number): string;
  read(start: number, end: number): Promise<StoredRows>;
  close(): Promise<void>;
}

/** Rows of an npy file, by range. */
export async function openNpyRows(path: string): Promise<RowSource> {
  const file = await openNpy(path);
  return {
    rows: file.rows,
    rowShape: file.rowShape,
    dtype: storedType(file.dtype),
    describe: (row) => `${path}, row ${row}`,
    read: async (start, end) => storable(await file.readRows(start, end), path),
    close: () => file.close(),
  };
}

/** Rows of an array of an npz archive; the array is in memory while it is open. */
export async function openNpzRows(path: string, key: string): Promise<RowSource> {
  const { data, shape, dtype } = await readNpzArray(path, key);
  return memoryRows(`${path}[${key}]`, data, shape, dtype);
}

/** Rows of an IDX file; the array is in memory while it is open. */
export async function openIdxRows(path: string): Promise<RowSource> {
  const { data, shape, dtype } = await readIdx(path);
  return memoryRows(path, data, shape, dtype);
}

/** Rows of numbers of a csv file. @param without  columns that are left out where none are named */
export async function openCsvRows(
  path: string,
  columns: readonly string[] | undefined,
  without: readonly string[],
): Promise<RowSource> {
  const table = await readCsv(path);
  const used = columns ?? table.columns.filter((column) => !without.includes(column));
  const data = csvNumbers(table, used);
  return {
    ...memoryRows(path, data, [table.rows.length, used.length], "float32"),
    describe: (row) => `${path}:${table.lines[row]}`,
  };
}

function memoryRows(name: string, data: NumericArray, shape: Shape, dtype: DType): RowSource {
  const [rows = 1, ...rowShape] = shape;
  const length = sizeOf(rowShape);
  return {
    rows,
    rowShape,
    dtype: storedType(dtype),
    describe: (row) => `${name}, row ${row}`,
    read: async (start, end) => storable(data.subarray(start * length, end * length), name),
    close: async () => {},
  };
}

/** The type a data set stores for a type of a file. */
function storedType(dtype: DType): StoredDType {
  switch (dtype) {
    case "bool":
      return "uint8";
    case "int64":
      return "int32";
    case "uint32":
    case "uint64":
      return "float64";
    case "float16":
    case "bfloat16":
      return "float32";
    default:
      return dtype;
  }
}

/** Elements in the type that `storedType` says. @throws {DataError} for integers that do not fit */
function storable(data: NumericArray, name: string): StoredRows {
  if (data instanceof BigInt64Array) {
    const narrow = new Int32Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const value = Number(data[i]);
      if (value !== (value | 0))
        throw new DataError(`${name}: ${value} does not fit 32 bits; save floats.`, { path: name });
      narrow[i] = value;
    }
    return narrow;
  }
  if (data instanceof BigUint64Array) return Float64Array.from(data, Number);
  if (data instanceof Uint32Array) return Float64Array.from(data);
  return data;
}

/** How rows of a file become samples of a modality. */
export interface SampleLayout {
  readonly kind: "image" | "spectrogram" | "vector";
  /** Channels last. */
  readonly shape: Shape;
  /** The file has [channels, height, width]. */
  readonly channelsFirst: boolean;
}

/**
 * The layout of a modality: kind and shape as asked for, or by the shape of a row (one axis: vector, two or three: image).
 *
 * @throws {DataError} when shape and rows, or kind and axes, do not go together
 */
export function sampleLayout(
  name: string,
  rowShape: Shape,
  asked: {
    readonly kind?: SampleLayout["kind"] | undefined;
    readonly shape?: Shape | undefined;
    readonly channels: "first" | "last";
  },
): SampleLayout {
  const given = asked.shape ?? (rowShape.length === 0 ? [1] : rowShape);
  if (sizeOf(given) !== sizeOf(rowShape)) {
    throw new DataError(`Modality "${name}": a sample has shape [${rowShape}], which does not fit shape [${given}].`, {
      name,
    });
  }
  const kind = asked.kind ?? (given.length === 1 ? "vector" : "image");
  if (kind === "vector") return { kind, shape: [sizeOf(given)], channelsFirst: false };
  if (given.length === 2) return { kind, shape: [...given, 1], channelsFirst: false };
  if (given.length !== 3) {
    throw new DataError(
      `Modality "${name}": kind ${kind} needs samples of two or three axes, they have [${given}]; give a shape.`,
      { name },
    );
  }
  if (asked.channels === "last") return { kind, shape: given, channelsFirst: false };
  const [channels = 1, height = 1, width = 1] = given;
  return { kind, shape: [height, width, channels], channelsFirst: !sameShape([channels], [1]) };
}

/** Samples [n, channels, height, width] as [n, height, width, channels]. */
export function channelsLast(rows: StoredRows, [height = 1, width = 1, channels = 1]: Shape): StoredRows {
  const out = rows.slice();
  const pixels = height * width;
  for (let start = 0; start < rows.length; start += pixels * channels) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) out[start + p * channels + c] = rows[start + c * pixels + p] ?? 0;
    }
  }
  return out;
}
