import { DataError, permutation, randomKey } from "@gmc/core";
import { csvColumn, readCsv } from "../readers/csv.ts";
import type { SplitPlan } from "./import-config.ts";

/**
 * The split of every one of `samples` samples of one group of files; undefined: in none.
 *
 * @throws {DataError} for splits that overlap, reach beyond the samples, or stay empty
 */
export async function assignSplits(
  plan: SplitPlan,
  samples: number,
  resolve: (path: string) => string,
): Promise<(string | undefined)[]> {
  if (plan.rows) return byRows(plan.rows, samples);
  if (plan.column) return byColumn(resolve(plan.column.file), plan.column.column, samples);
  return drawn(plan, samples);
}

function byRows(ranges: Readonly<Record<string, readonly [number, number]>>, samples: number): (string | undefined)[] {
  const splits = new Array<string | undefined>(samples).fill(undefined);
  for (const [name, [start, end]] of Object.entries(ranges)) {
    if (start >= end || end > samples) {
      throw new DataError(`splits.rows.${name}: [${start}, ${end}) is no range within ${samples} samples.`, {
        split: name,
      });
    }
    for (let i = start; i < end; i++) {
      if (splits[i] !== undefined) {
        throw new DataError(`splits.rows: sample ${i} is in both "${splits[i]}" and "${name}".`, { sample: i });
      }
      splits[i] = name;
    }
  }
  return splits;
}

async function byColumn(path: string, column: string, samples: number): Promise<string[]> {
  const table = await readCsv(path);
  const names = csvColumn(table, column);
  if (names.length !== samples) {
    throw new DataError(`${path} names the split of ${names.length} samples, there are ${samples}.`, { path });
  }
  const wrong = names.findIndex((name) => !/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name));
  if (wrong < 0) return names;
  throw new DataError(
    `${path}:${table.lines[wrong]}: "${names[wrong]}" is no name of a split (letters, digits, - and _).`,
    {
      path,
      line: table.lines[wrong],
    },
  );
}

function drawn({ draw = {}, rest, seed }: SplitPlan, samples: number): (string | undefined)[] {
  const order = permutation(randomKey(seed, "import/splits"), samples);
  const splits = new Array<string | undefined>(samples).fill(rest);
  let next = 0;
  for (const [name, fraction] of Object.entries(draw)) {
    const count = Math.round(fraction * samples);
    if (count === 0)
      throw new DataError(`splits.draw.${name}: ${fraction} of ${samples} samples is none.`, { split: name });
    if (next + count >= samples)
      throw new DataError(`splits.draw leaves nothing of ${samples} samples for "${rest}".`, {});
    for (let i = 0; i < count; i++) splits[order[next + i] ?? 0] = name;
    next += count;
  }
  return splits;
}
