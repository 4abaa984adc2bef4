import { basename, extname } from "node:path";
import { ConfigError, canonicalJson } from "@gmc/core";
import type { Override, RunConfig } from "@gmc/experiment";
import { parseConfig, parseRunConfig, readSource } from "@gmc/experiment";
import { cellName, plainText, pointNames } from "./cell-name.ts";
import type { GridPoint, Sweep, SweepCell } from "./sweep.ts";
import { SweepFile, seedsOf } from "./sweep-file.ts";

/** A file's text and what messages call it. */
export interface SweepText {
  readonly file: string;
  readonly content: string;
}

export interface SweepSource extends SweepText {
  /** The run's YAML that `base` names. */
  readonly base?: SweepText;
  /** Flags, over the base and the sweep's own values. */
  readonly overrides?: readonly Override[];
}

/** The file's own values, checked as far as they can be without its base. @throws {ConfigError} naming the line at fault */
export function parseSweepFile({ file, content }: SweepText): SweepFile {
  const parsed = parseConfig(SweepFile, { content, name: file });
  const { lineOf } = locator({ file, content });
  checkSeeds(parsed, lineOf);
  checkGrid(parsed, lineOf);
  if ("seed" in parsed.config) throw problem("config.seed: a sweep says its seeds in seeds", lineOf("config", "seed"));
  return parsed;
}

/**
 * The runs that a sweep consists of, every one with its checked config.
 *
 * @throws {ConfigError} naming the line of the sweep's file or of its base, or the flag, that is at fault
 */
export function planSweep(source: SweepSource): Sweep {
  const { file, base, overrides = [] } = source;
  const parsed = parseSweepFile(source);
  const { lineOf } = locator(source);
  checkFlags(overrides, parsed, lineOf);
  const own = leavesOf(parsed.config);
  const points = pointsOf(parsed.grid);
  const names = pointNames(points);
  const cells = points.flatMap((point, i) =>
    seedsOf(parsed).map((seed): SweepCell => {
      const name = cellName(names[i] ?? "", seed);
      const grid = Object.entries(point);
      const named: Override = ["name", name];
      const all: readonly Override[] = [named, ...own, ...overrides, ...grid, ["seed", seed]];
      const nameOverride = (path: string): string => {
        if (path in parsed.grid) return `${valueLine(source, path, point[path])}, value ${plainText(point[path])}`;
        if (path === "seed") return lineOf("seeds");
        if (overrides.some(([flag]) => flag === path)) return `--${path}`;
        return own.some(([leaf]) => leaf === path) ? lineOf("config", ...path.split(".")) : lineOf();
      };
      return { name, point, seed, config: cellConfig(base, file, all, nameOverride, Object.keys(point)) };
    }),
  );
  const name = parsed.name ?? basename(file, extname(file));
  return { name, cells, evaluate: parsed.evaluate, ...(parsed.best !== undefined && { best: parsed.best }) };
}

/** One cell's config; what its schema cannot say is told with the line of the value at fault. */
function cellConfig(
  base: SweepText | undefined,
  file: string,
  overrides: readonly Override[],
  nameOverride: (path: string) => string,
  gridPaths: readonly string[],
): RunConfig {
  try {
    return parseRunConfig(base?.content ?? {}, overrides, { file: base?.file ?? file, nameOverride });
  } catch (error) {
    if (!(error instanceof ConfigError) || "problems" in error.details || "line" in error.details) throw error;
    const path = String(error.details.path ?? "");
    const set = overrides.findLast(([name]) => name === path && name !== "name" && name !== "seed")?.[0];
    const near = gridPaths.find((name) => name.split(".")[0] === path.split(".")[0]);
    const where = set ?? near;
    if (where === undefined || error.message.startsWith("line ")) throw error;
    throw new ConfigError(`${error.message} (${nameOverride(where)})`, error.details, { cause: error });
  }
}

/** Every combination of the grid's values, the last path changing fastest; one empty point for an empty grid. */
function pointsOf(grid: SweepFile["grid"]): GridPoint[] {
  let points: GridPoint[] = [{}];
  for (const [path, values] of Object.entries(grid)) {
    points = points.flatMap((point) => values.map((value) => ({ ...point, [path]: value })));
  }
  return points;
}

/** What a plain tree says, as dotted paths; a list is one value. */
function leavesOf(tree: Readonly<Record<string, unknown>>, prefix = ""): Override[] {
  return Object.entries(tree).flatMap(([key, value]): Override[] => {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    const isSection = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isSection || Object.keys(value).length === 0) return [[path, value]];
    return leavesOf(value as Readonly<Record<string, unknown>>, path);
  });
}

type LineOf = (...path: readonly (string | number)[]) => string;

function checkSeeds(parsed: SweepFile, lineOf: LineOf): void {
  const seeds = seedsOf(parsed);
  const twice = seeds.findIndex((seed, i) => seeds.indexOf(seed) !== i);
  if (twice >= 0) throw problem(`seeds: ${seeds[twice]} comes twice`, lineOf("seeds", twice));
}

function checkGrid({ grid }: SweepFile, lineOf: LineOf): void {
  const paths = Object.keys(grid);
  for (const path of paths) {
    const line = lineOf("grid", path);
    if (path === "seed") throw problem("grid.seed: a sweep says its seeds in seeds", line);
    const within = paths.find((other) => path.startsWith(`${other}.`));
    if (within !== undefined) throw problem(`grid: ${path} lies in ${within}, which the grid sets too`, line);
    const values = (grid[path] ?? []).map((value) => canonicalJson([value]));
    const twice = values.findIndex((value, i) => values.indexOf(value) !== i);
    if (twice >= 0) {
      throw problem(`grid.${path}: ${plainText(grid[path]?.[twice])} comes twice`, lineOf("grid", path, twice));
    }
  }
}

function checkFlags(overrides: readonly Override[], { grid }: SweepFile, lineOf: LineOf): void {
  for (const [flag] of overrides) {
    if (flag === "seed") throw problem("--seed: a sweep says its seeds in seeds", lineOf("seeds"));
    const path = Object.keys(grid).find((own) => overlaps(own, flag));
    if (path !== undefined) throw problem(`--${flag}: the grid sets ${path}`, lineOf("grid", path));
  }
}

const overlaps = (a: string, b: string): boolean => a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

const problem = (message: string, line: string): ConfigError =>
  new ConfigError(`${message} (${line}).`, { problems: [message] });

/** Says where in the file something stands. */
function locator({ file, content }: SweepText): { readonly lineOf: LineOf } {
  const { locate } = readSource({ content, name: file });
  return { lineOf: (...path) => locate(path) ?? file };
}

/** The line of one value of a grid's list. */
function valueLine({ file, content }: SweepText, path: string, value: unknown): string {
  const { plain, locate } = readSource({ content, name: file });
  const values: unknown = (plain as { grid?: Record<string, unknown> }).grid?.[path];
  const at = Array.isArray(values) ? values.findIndex((one) => canonicalJson([one]) === canonicalJson([value])) : -1;
  return locate(at < 0 ? ["grid", path] : ["grid", path, at]) ?? file;
}
