import { join } from "node:path";
import { CancelledError, encodeError, GmcError, UsageError } from "@gmc/core";
import { datasetExists } from "@gmc/data";
import type { JudgedRun, LongCall, RunConfig, RunRecord } from "@gmc/experiment";
import { configSha256, judgeRun, loadRun, loadRunConfig, modelOfConfig, trainRun } from "@gmc/experiment";
import { exists } from "@gmc/storage";
import { differingPaths, RESUME_MAY_CHANGE } from "@gmc/trainer";
import type { Sweep, SweepCell } from "./sweep.ts";
import type { CellOutcome, SweepResult } from "./sweep-result.ts";
import { aggregateSweep } from "./sweep-result.ts";

export interface RunSweepOptions extends LongCall {
  readonly sweep: Sweep;
  /** The sweep's folder; runs lie directly below it. */
  readonly out: string;
  /** Before a cell begins, and when it has ended. */
  readonly onCell?: (progress: CellProgress) => void;
}

export interface CellProgress {
  readonly cell: SweepCell;
  /** From 0. */
  readonly index: number;
  readonly cells: number;
  /** `kept`: it had been trained before. Absent: it begins. */
  readonly outcome?: CellOutcome;
  readonly kept?: true;
}

/**
 * Trains and evaluates the cells of a sweep in this process, one after another. What is there already is not done
 * again: a finished run is kept, one that stopped goes on from its checkpoint. A cell that fails does not stop the others.
 *
 * @throws {UsageError} when a folder holds another run than the cell's; nothing is begun then
 * @throws {CancelledError} when `signal` fires; the cell under way has left a checkpoint
 */
export async function runSweepHere(options: RunSweepOptions): Promise<SweepResult> {
  const { sweep, out, onCell } = options;
  for (const cell of sweep.cells) await refuseForeign(join(out, cell.name), cell);
  await checkModels(sweep);
  const outcomes = new Map<string, CellOutcome>();
  for (const [index, cell] of sweep.cells.entries()) {
    const place = { cell, index, cells: sweep.cells.length };
    onCell?.(place);
    const { outcome, kept } = await runCell(options, cell);
    outcomes.set(cell.name, outcome);
    onCell?.({ ...place, outcome, ...(kept && { kept: true }) });
  }
  return aggregateSweep(sweep, outcomes);
}

/**
 * Refuses a folder that holds another run, before anything is written.
 *
 * @throws {UsageError} naming what differs
 */
export async function refuseForeign(run: string, { name, config }: SweepCell): Promise<void> {
  if (!(await exists(join(run, "config.yaml")))) return;
  const paths = differingPaths(await loadRunConfig(run), config).filter((path) => !mayChange(path));
  if (paths.length === 0) return;
  throw new UsageError(
    `${run} holds another run than ${name} of this sweep: different are ${paths.join(", ")}. Name another folder with --out.`,
    { run, differing: paths },
  );
}

/** Mistakes that show only beside the data, found before the first cell has trained for an hour. */
export async function checkModels({ cells }: Pick<Sweep, "cells">): Promise<void> {
  const seen = new Set<string>();
  for (const { config } of cells) {
    const key = configSha256({ ...config, name: undefined, seed: 0 });
    if (seen.has(key) || !(await datasetExists(config.data.path))) continue;
    seen.add(key);
    await modelOfConfig(config);
  }
}

/** A checkpoint decides about more epochs; what else may change on a resume may change here. */
const mayChange = (path: string): boolean =>
  path === "training.epochs" || RESUME_MAY_CHANGE.some((free) => path === free || path.startsWith(`${free}.`));

async function runCell(
  options: RunSweepOptions,
  cell: SweepCell,
): Promise<{ readonly outcome: CellOutcome; readonly kept: boolean }> {
  const { signal } = options;
  if (signal?.aborted) throw new CancelledError("The sweep was stopped between two runs.");
  try {
    const run = join(options.out, cell.name);
    const known = await finishedRecord(run, cell.config);
    const record = known ?? (await trainCell(options, run, cell.config));
    const judged = await judgeCell(options, run, cell.config);
    return { outcome: { status: "finished", record, ...judged }, kept: known !== undefined };
  } catch (error) {
    if (signal?.aborted || error instanceof CancelledError) throw error;
    if (!(error instanceof GmcError)) throw error;
    return { outcome: { status: "failed", error: encodeError(error) }, kept: false };
  }
}

/** The record of a run that was trained to its end with this config; undefined where training has something left to do. */
async function finishedRecord(run: string, config: RunConfig): Promise<RunRecord | undefined> {
  if (!(await exists(join(run, "run.json")))) return undefined;
  const { config: saved, record } = await loadRun(run);
  if (!record || record.status === "stopped" || saved.training.epochs !== config.training.epochs) return undefined;
  return record;
}

async function trainCell(options: RunSweepOptions, out: string, config: RunConfig): Promise<RunRecord> {
  const resume = await exists(join(out, "config.yaml"));
  const record = await trainRun({ ...callOf(options), config, out, resume });
  if (record.status !== "stopped") return record;
  throw new CancelledError(`The sweep was stopped; ${out} has a checkpoint.`, { run: out });
}

/** With the sweep's settings, which may have become others since the run was trained. */
const judgeCell = (options: RunSweepOptions, run: string, { evaluation }: RunConfig): Promise<JudgedRun> =>
  judgeRun({ ...callOf(options), run, overrides: [["evaluation", evaluation]] }, options.sweep.evaluate);

const callOf = ({ signal, logger, onProgress }: LongCall): LongCall => ({
  ...(signal && { signal }),
  ...(logger && { logger }),
  ...(onProgress && { onProgress }),
});
