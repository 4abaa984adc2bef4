import { appendFile, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DataError, UsageError } from "@gmc/core";
import { exists, writeFileAtomic } from "./atomic.ts";

/** Where everything of one run lies: paths in one folder. */
export interface RunFolder {
  /** Absolute. */
  readonly path: string;
  /** The effective configuration; its presence makes the folder a run. */
  readonly config: string;
  readonly environment: string;
  /** One JSON object a line. */
  readonly metrics: string;
  /** The result record, written when training ends. */
  readonly record: string;
  readonly checkpoints: string;
  readonly reports: string;
}

/** One line of metrics. */
export type MetricsRecord = Readonly<Record<string, unknown>>;

const OURS = new Set(["environment.json", "metrics.jsonl", "run.json", "checkpoints", "reports"]);

/**
 * Makes a run's folder, with `configText` as its config.yaml, written last.
 *
 * @throws {UsageError} when the folder already is a run, or holds something else
 */
export async function createRunFolder(path: string, configText: string): Promise<RunFolder> {
  const run = runPaths(path);
  if (await exists(run.config)) {
    throw new UsageError(`${path} already holds a run; name another folder, or resume it.`, { path });
  }
  const foreign = (await existingNames(path)).filter((name) => !OURS.has(name) && !name.startsWith("."));
  if (foreign.length > 0) {
    throw new UsageError(`${path} is not empty (${foreign[0]}); name a new folder for the run.`, { path });
  }
  await mkdir(run.checkpoints, { recursive: true });
  await mkdir(run.reports, { recursive: true });
  await writeFileAtomic(run.config, configText);
  return run;
}

/** The paths of an existing run. @throws {UsageError} when the folder is missing or not a run */
export async function openRunFolder(path: string): Promise<RunFolder> {
  const run = runPaths(path);
  if (await exists(run.config)) return run;
  const why = (await exists(path)) ? "it has no config.yaml" : "it does not exist";
  throw new UsageError(`${path} is not a run folder: ${why}.`, { path });
}

/** Adds lines to the metrics in one write; non-finite numbers become null. */
export async function appendMetrics(run: RunFolder, ...records: readonly MetricsRecord[]): Promise<void> {
  await appendFile(run.metrics, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

/**
 * All metrics so far, in the order written; a last line that a crash cut short is left out.
 *
 * @throws {DataError} when another line is not a JSON object
 */
export async function readMetrics(run: RunFolder): Promise<MetricsRecord[]> {
  if (!(await exists(run.metrics))) return [];
  const lines = (await readFile(run.metrics, "utf8")).split("\n");
  lines.pop(); // empty, or a line without its end
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as MetricsRecord;
    } catch (cause) {
      throw new DataError(`${run.metrics}:${i + 1} is not a JSON object.`, { path: run.metrics }, { cause });
    }
  });
}

/** Drops the metrics that `keep` refuses and a line cut short: before a run goes on from an earlier step. */
export async function trimMetrics(run: RunFolder, keep: (record: MetricsRecord) => boolean): Promise<void> {
  const kept = (await readMetrics(run)).filter(keep);
  await writeFileAtomic(run.metrics, kept.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

/** Writes `value` as indented JSON, atomically. */
export const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);

/** The value in a JSON file. @throws {DataError} when it is missing or not JSON */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new DataError(`${path} cannot be read as JSON: ${(cause as Error).message}`, { path }, { cause });
  }
}

function runPaths(folder: string): RunFolder {
  const path = resolve(folder);
  return {
    path,
    config: join(path, "config.yaml"),
    environment: join(path, "environment.json"),
    metrics: join(path, "metrics.jsonl"),
    record: join(path, "run.json"),
    checkpoints: join(path, "checkpoints"),
    reports: join(path, "reports"),
  };
}

async function existingNames(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return [];
  if (!found.isDirectory()) throw new UsageError(`${path} is a file; name a folder for the run.`, { path });
  return readdir(path);
}
