import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { GmcError, UsageError } from "@gmc/core";
import type { AlignmentResult, EvaluationResult } from "@gmc/evaluation";
import type { JudgedRun, LoadedRun } from "@gmc/experiment";
import { loadRun } from "@gmc/experiment";
import { exists, readJson } from "@gmc/storage";
import type { Metrics } from "../sweep/cell-metrics.ts";
import { metricsOf } from "../sweep/cell-metrics.ts";

/** A run as its folder tells it, without its tensors. */
export interface StoredRun {
  /** The folder's path, as it was found. */
  readonly run: string;
  readonly name: string;
  /** `unfinished`: under way, or ended without a record. `unreadable`: `problem` says why. */
  readonly status: "finished" | "stopped" | "early-stopped" | "unfinished" | "unreadable";
  /** When it began, ISO 8601. */
  readonly startedAt: string;
  readonly steps?: number;
  /** Numbers of the last training and of evaluations that are kept. */
  readonly metrics: Metrics;
  readonly config?: LoadedRun["config"];
  readonly dataSha256?: string;
  readonly weightsSha256?: string;
  /** Of the source it was trained with, where that is known; `+` marks changes that were not committed. */
  readonly commit?: string;
  readonly problem?: string;
}

/** How deep below the named folder runs are looked for: a sweep's runs lie in the sweep's folder. */
const DEEPEST = 3;

/**
 * All runs below a folder, itself included, by path.
 *
 * @throws {UsageError} when there is no such folder
 */
export async function listRuns(folder: string): Promise<StoredRun[]> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw new UsageError(`${folder} is no folder; name one that has runs in it.`, { folder });
  const runs: StoredRun[] = [];
  for (const path of await foldersOfRuns(folder, DEEPEST)) runs.push(await readStoredRun(path));
  return runs;
}

/** One run; what cannot be read makes it `unreadable`. @throws {UsageError} when the folder is no run */
export async function readStoredRun(run: string): Promise<StoredRun> {
  if (!(await isRun(run))) throw new UsageError(`${run} is no run: it has no config.yaml.`, { run });
  const startedAt = await startOf(run);
  try {
    const loaded = await loadRun(run);
    const { config, data, record } = loaded;
    const commit = await commitOf(loaded);
    return {
      run,
      name: config.name ?? basename(run),
      status: record?.status ?? "unfinished",
      startedAt,
      ...(record && { steps: record.steps, weightsSha256: record.weightsSha256 }),
      metrics: record ? metricsOf({ record, ...(await keptJudgements(loaded)) }) : {},
      config,
      dataSha256: data.sha256,
      ...(commit !== undefined && { commit }),
    };
  } catch (error) {
    if (!(error instanceof GmcError)) throw error;
    const problem = error.message;
    return { run, name: basename(run), status: "unreadable", startedAt, metrics: {}, problem };
  }
}

async function foldersOfRuns(folder: string, depth: number): Promise<string[]> {
  if (await isRun(folder)) return [folder];
  if (depth === 0) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith(".")).map(({ name }) => name);
  const found: string[] = [];
  for (const name of names.sort()) found.push(...(await foldersOfRuns(join(folder, name), depth - 1)));
  return found;
}

const isRun = (folder: string): Promise<boolean> => exists(join(folder, "config.yaml"));

/** The environment is written once, at the start. */
async function startOf(run: string): Promise<string> {
  const found = await stat(join(run, "environment.json")).catch(() => stat(join(run, "config.yaml")));
  return new Date(found.mtimeMs).toISOString();
}

async function keptJudgements({ folder }: LoadedRun): Promise<JudgedRun> {
  const read = (name: string): Promise<unknown> => readJson(join(folder.reports, name)).catch(() => undefined);
  const evaluation = (await read("evaluation.json")) as EvaluationResult | undefined;
  const alignment = (await read("alignment.json")) as AlignmentResult | undefined;
  return { ...(evaluation && { evaluation }), ...(alignment && { alignment }) };
}

async function commitOf({ folder }: LoadedRun): Promise<string | undefined> {
  const environment = (await readJson(folder.environment)) as { git?: { commit?: string; changed?: boolean } };
  const { commit, changed } = environment.git ?? {};
  return commit && `${commit.slice(0, 10)}${changed ? "+" : ""}`;
}
