import { writeFileAtomic } from "@gmc/storage";
import type { Dataset } from "../dataset.ts";
import type { FileModalityEntry } from "../manifest.ts";
import type { Split } from "../split.ts";
import { type Box, Canvas, type Colour, textWidth } from "./canvas.ts";
import { drawSample } from "./draw-sample.ts";

export interface ContactSheetOptions {
  /** Split to draw from; absent: "train", or the first. */
  readonly split?: string;
  /** Samples of each class; absent: as many as fit well. */
  readonly perClass?: number;
}

const PAPER: Colour = [255, 255, 255];
const TEXT: Colour = [28, 34, 46];
const FAINT: Colour = [120, 128, 142];
const FRAME: Colour = [206, 211, 220];
const CELL = 84; // three times MNIST's 28
const GAP = 5;
const GROUP_GAP = 22;
const MARGIN = 18;
const HEAD = 64;
const MAX_ROWS = 24;

/**
 * Writes a PNG that shows samples of every class in every modality: a row a class, a group of columns a modality; the
 * n-th cells of a row's groups are one sample.
 *
 * @returns the picture's size in pixels
 */
export async function contactSheet(
  dataset: Dataset,
  out: string,
  options: ContactSheetOptions = {},
): Promise<{ readonly width: number; readonly height: number }> {
  const split = dataset.split(
    options.split ?? (dataset.splitNames.includes("train") ? "train" : (dataset.splitNames[0] ?? "")),
  );
  const modalities = dataset.manifest.modalities.filter((modality) => modality.kind !== "label");
  const columns = options.perClass ?? Math.max(2, Math.min(6, Math.floor(16 / modalities.length)));
  const rows = await chooseRows(dataset, split, columns);
  const labelWidth = Math.max(...rows.map((row) => Math.max(textWidth(row.name, 2), textWidth(row.note))), 0);
  const groups = layOut(modalities, columns, MARGIN + labelWidth + 16);
  const width = groups.width + MARGIN;
  const height = HEAD + rows.length * (CELL + GAP) - GAP + MARGIN;
  const canvas = new Canvas(Math.max(width, MARGIN * 2 + textWidth(titleOf(dataset, split), 2)), height, PAPER);
  canvas.text(titleOf(dataset, split), MARGIN, 14, TEXT, 2);
  for (const { modality, x } of groups.list) {
    canvas.text(headingOf(modality, columns * (CELL + GAP)), x, HEAD - 18, FAINT);
  }
  for (const [i, row] of rows.entries()) {
    const y = HEAD + i * (CELL + GAP);
    canvas.text(row.name, MARGIN, y + CELL / 2 - 12, TEXT, 2);
    canvas.text(row.note, MARGIN, y + CELL / 2 + 8, FAINT);
    await drawRow(canvas, split, row.samples, groups.list, y);
  }
  await writeFileAtomic(out, await canvas.png());
  return { width: canvas.width, height: canvas.height };
}

interface SheetRow {
  readonly name: string;
  readonly note: string;
  readonly samples: Uint32Array;
}

interface Group {
  readonly modality: FileModalityEntry;
  readonly x: number;
}

/** A row a class, or rows of samples spread over a set without labels. */
async function chooseRows(dataset: Dataset, split: Split, columns: number): Promise<readonly SheetRow[]> {
  if (!dataset.classes || !split.hasLabels) {
    const rows = Math.min(8, Math.ceil(split.samples / columns));
    const samples = spread(
      Uint32Array.from({ length: split.samples }, (_, i) => i),
      rows * columns,
    );
    return Array.from({ length: rows }, (_, row) => ({
      name: "",
      note: `#${samples[row * columns] ?? 0}`,
      samples: samples.subarray(row * columns, (row + 1) * columns),
    }));
  }
  const labels = await split.readLabels();
  return dataset.classes.slice(0, MAX_ROWS).map((name, index) => {
    const members = Uint32Array.from(labels.keys()).filter((sample) => labels[sample] === index);
    return { name: shorten(name), note: `n=${members.length}`, samples: spread(members, columns) };
  });
}

/** At most `count` of the numbers, evenly spread. */
const spread = (numbers: Uint32Array, count: number): Uint32Array =>
  Uint32Array.from({ length: Math.min(count, numbers.length) }, (_, i) => {
    const step = Math.max(1, numbers.length / count);
    return numbers[Math.floor(i * step)] ?? 0;
  });

const shorten = (name: string): string => (name.length > 14 ? `${name.slice(0, 13)}~` : name);

function layOut(
  modalities: readonly FileModalityEntry[],
  columns: number,
  left: number,
): { readonly list: readonly Group[]; readonly width: number } {
  const groupWidth = columns * (CELL + GAP) - GAP;
  const list = modalities.map((modality, i) => ({ modality, x: left + i * (groupWidth + GROUP_GAP) }));
  return { list, width: left + modalities.length * (groupWidth + GROUP_GAP) - GROUP_GAP };
}

async function drawRow(
  canvas: Canvas,
  split: Split,
  samples: Uint32Array,
  groups: readonly Group[],
  y: number,
): Promise<void> {
  const values = await split.read(
    samples,
    groups.map(({ modality }) => modality.name),
  );
  for (const { modality, x } of groups) {
    const whole = values[modality.name] ?? new Float32Array(0);
    const size = whole.length / Math.max(1, samples.length);
    for (let i = 0; i < samples.length; i++) {
      const box: Box = { x: x + i * (CELL + GAP), y, width: CELL, height: CELL };
      canvas.frame(box, FRAME);
      drawSample(canvas, box, modality, whole.subarray(i * size, (i + 1) * size));
    }
  }
}

const titleOf = (dataset: Dataset, split: Split): string =>
  `${dataset.manifest.name} - ${split.name}, ${split.samples.toLocaleString("en-US")} samples`;

/** As much of the modality's description as fits. */
function headingOf({ name, kind, shape, dtype }: FileModalityEntry, width: number): string {
  const lines = [`${name}  ${kind} [${shape}] ${dtype}`, `${name}  [${shape}]`, name];
  return lines.find((line) => textWidth(line) <= width) ?? name;
}
