import { DataError } from "@gmc/core";
import { readSourceFile } from "./source-file.ts";

/** One handwritten symbol. */
export interface PenSample {
  /** What was written, as the file quotes it. */
  readonly label: string;
  /** In writing order: x0, y0, x1, y1, … in tablet units, y up; the pen is lifted between strokes. */
  readonly strokes: readonly Float64Array[];
  /** Line of its `.SEGMENT`, from 1. */
  readonly line: number;
}

/**
 * The samples of a UNIPEN text file (`.SEGMENT`, `.PEN_DOWN`, `.PEN_UP`), gzipped or not; other statements are skipped.
 *
 * @throws {DataError} with file and line, for a segment without a quoted label, points outside a stroke, or no points
 */
export async function readUnipen(path: string): Promise<PenSample[]> {
  return parseUnipen((await readSourceFile(path)).toString("latin1"), path);
}

/** The same from text in memory; `name` is for messages. */
export function parseUnipen(text: string, name: string): PenSample[] {
  const samples: PenSample[] = [];
  let open: { label: string; strokes: Float64Array[]; line: number } | undefined;
  let stroke: number[] | undefined;
  const fail = (line: number, what: string): DataError =>
    new DataError(`${name}:${line}: ${what}`, { path: name, line });
  const closeStroke = (): void => {
    if (open && stroke && stroke.length > 0) open.strokes.push(Float64Array.from(stroke));
    stroke = undefined;
  };
  const closeSample = (): void => {
    closeStroke();
    if (!open) return;
    if (open.strokes.length === 0) throw fail(open.line, "the segment has no points between .PEN_DOWN and .PEN_UP.");
    samples.push(open);
  };
  for (const [i, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    const number = i + 1;
    if (line.startsWith(".SEGMENT")) {
      closeSample();
      const label = /"([^"]*)"/.exec(line)?.[1];
      if (label === undefined)
        throw fail(number, 'expected .SEGMENT with a label in quotes, like .SEGMENT DIGIT 0 ? "8".');
      open = { label, strokes: [], line: number };
    } else if (line.startsWith(".PEN_DOWN")) {
      if (!open) throw fail(number, ".PEN_DOWN before the first .SEGMENT.");
      closeStroke();
      stroke = [];
    } else if (line.startsWith(".PEN_UP")) closeStroke();
    else if (line === "" || line.startsWith(".") || !open) continue;
    else {
      if (!stroke) throw fail(number, `"${line}" stands outside .PEN_DOWN and .PEN_UP.`);
      const [x = Number.NaN, y = Number.NaN] = line.split(/\s+/).map(Number);
      if (!Number.isFinite(x) || !Number.isFinite(y)) throw fail(number, `expected a point "x y", found "${line}".`);
      stroke.push(x, y);
    }
  }
  closeSample();
  return samples;
}
