import { canonicalJson, sha256OfJson } from "@gmc/core";
import type { GridPoint } from "./sweep.ts";

/** A name longer than this is cut and marked, so that folders can be made anywhere. */
const LONGEST = 96;

/**
 * Names of the points, all different, safe as names of folders: "batchSize-32_kind-cosine", "" for a sweep without a
 * grid. A name depends on its point and on which paths the grid has, so that more values in a grid leave it as it was.
 */
export function pointNames(points: readonly GridPoint[]): string[] {
  const names = points.map(nameOf);
  return names.map((name, i) =>
    name.length > LONGEST || names.some((other, j) => j !== i && other === name)
      ? `${name.slice(0, LONGEST)}_${sha256OfJson(points[i]).slice(0, 8)}`
      : name,
  );
}

/** "batchSize-32_seed-0" */
export const cellName = (pointName: string, seed: number): string =>
  pointName === "" ? `seed-${seed}` : `${pointName}_seed-${seed}`;

/** For people: "training.batchSize 32, training.lastBatch keep"; "the only one" for a sweep without a grid. */
export function pointText(point: GridPoint): string {
  const parts = Object.entries(point).map(([path, value]) => `${path} ${plainText(value)}`);
  return parts.length === 0 ? "the only one" : parts.join(", ");
}

/** Equal for equal points. */
export const pointKey = (point: GridPoint): string => canonicalJson(point);

/** A value of a grid as a user would write it. */
export const plainText = (value: unknown): string =>
  typeof value === "string" ? value : canonicalJson([value]).slice(1, -1);

function nameOf(point: GridPoint): string {
  const paths = Object.keys(point);
  const lasts = paths.map((path) => path.split(".").at(-1) ?? path);
  const short = new Set(lasts).size === lasts.length;
  return paths.map((path, i) => `${safe(short ? (lasts[i] ?? path) : path)}-${safe(plainText(point[path]))}`).join("_");
}

const safe = (text: string): string => text.replaceAll(/[^A-Za-z0-9.+-]+/g, "-").replaceAll(/^[-.]+|-+$/g, "");
