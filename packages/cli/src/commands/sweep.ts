import { join } from "node:path";
import { CancelledError } from "@gmc/core";
import type { CellProgress, Sweep, SweepResult } from "@gmc/jobs";
import { checkModels, readSweep, runSweepHere, submitSweep, sweepMarkdown, writeSweep } from "@gmc/jobs";
import { Command } from "commander";
import { redisOption } from "../cluster/redis-options.ts";
import { tellIdle } from "../cluster/tell-idle.ts";
import { watchSweepOf } from "../cluster/watch-sweep.ts";
import { withQueue } from "../cluster/with-queue.ts";
import type { Context } from "../context.ts";
import { integer } from "../options.ts";
import { showProgress } from "../progress.ts";
import { duration } from "../status.ts";
import { range } from "./submit.ts";
import { sweepCompareCommand } from "./sweep-compare.ts";

interface SweepFlags {
  readonly out?: string;
  readonly redis?: string;
  readonly workers?: { readonly min: number; readonly max: number };
  readonly priority?: number;
  readonly detach?: true;
}

/** `gmc sweep FILE`: a grid of configs with several seeds, to one table. */
export const sweepCommand = (context: Context): Command =>
  new Command("sweep")
    .description(
      "Train and evaluate a grid of configs, each with several seeds: mean ± std of every metric, the best one.",
    )
    .argument("<file>", "the sweep's YAML")
    .option("--out <folder>", "the sweep's folder, with the runs below it; default: runs/<name>")
    .addOption(redisOption())
    .option(
      "--workers <min..max>",
      "with --redis: workers of each run; default: 1, so that each worker trains a run",
      range,
    )
    .option("--priority <n>", "with --redis: lower is earlier, from 1", integer(1))
    .option("--detach", "with --redis: give the job's id and do not wait")
    .addHelpText("after", EXAMPLES)
    .addCommand(sweepCompareCommand(context))
    .action((file: string, flags: SweepFlags, command: Command) => {
      const { redis, ...others } = flags;
      const named = command.getOptionValueSource("redis") === "cli"; // the environment's is for commands of the queue
      return sweep(context, file, named && redis !== undefined ? { ...others, redis } : others);
    });

async function sweep(context: Context, file: string, flags: SweepFlags): Promise<void> {
  const { output, status, signal, logger, overrides } = context;
  const planned = await readSweep(file, overrides);
  const out = flags.out ?? join("runs", planned.name);
  output.say(`${counted(planned)}; they go to ${out}`);
  if (flags.redis !== undefined) return onCluster(context, planned, out, { ...flags, redis: flags.redis });
  const result = await runSweepHere({
    sweep: planned,
    out,
    signal,
    logger,
    onProgress: showProgress(status),
    onCell: (progress) => tellCell(context, progress),
  }).catch((error: unknown) => {
    if (!(error instanceof CancelledError)) throw error;
    throw new CancelledError(`${error.message} Go on with the same command.`, error.details, { cause: error });
  });
  status.end();
  await tellSweep(context, out, result);
}

async function onCluster(
  context: Context,
  planned: Sweep,
  out: string,
  { redis, workers, priority, detach }: SweepFlags & { readonly redis: string },
): Promise<void> {
  const { output, status } = context;
  await checkModels(planned);
  const more = { ...(workers && { workers }), ...(priority !== undefined && { priority }) };
  await withQueue(context, redis, async (queue) => {
    await tellIdle(context, queue);
    const job = await submitSweep(queue, { sweep: planned, out, ...more });
    if (detach) return output.result({ job, out }, `${job}\nFollow it: gmc watch ${job}`);
    output.say(`Job ${job}; Ctrl-C leaves it to the cluster`);
    const result = await watchSweepOf(context, queue, job);
    status.end();
    await tellSweep(context, out, result);
  });
}

/** Writes the tables and prints them; a run that failed makes the exit code 1. */
export async function tellSweep({ output, logger, exit }: Context, out: string, result: SweepResult): Promise<void> {
  const files = await writeSweep(out, result, logger);
  if (result.failed.length > 0) exit(1);
  output.result(result, `${sweepMarkdown(result)}\nKept as ${files.join(", ")}`);
}

function counted({ cells }: Sweep): string {
  const configs = new Set(cells.map(({ point }) => JSON.stringify(point))).size;
  const seeds = cells.length / configs;
  const words = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;
  return `${words(configs, "configuration")} with ${words(seeds, "seed")}: ${words(cells.length, "run")}`;
}

function tellCell({ status }: Context, { cell, index, cells, outcome, kept }: CellProgress): void {
  const name = `[${index + 1}/${cells}] ${cell.name}`;
  status.end();
  if (!outcome) status.note(name);
  else if (outcome.status === "failed") status.note(`${name} failed: ${outcome.error.message}`);
  else if (kept) status.note(`${name}: had been trained before`);
  else
    status.note(
      `${name}: loss ${outcome.record.finalLoss?.toFixed(3) ?? "unknown"} in ${duration(outcome.record.wallSeconds)}`,
    );
}

const EXAMPLES = `
A sweep's file: base (a run's YAML), config (values over it), grid (paths with lists of values), seeds (5, or a list),
evaluate ([evaluation, alignment]), best (a metric). Flags such as --data.path are for all runs. The same command goes
on where it was stopped, and trains only what is not there yet. Each run's config.yaml trains that run alone, to the
same bits.

Examples:
  gmc sweep examples/demo-sweep.yaml --data.path data/synth
  gmc sweep examples/mhd-5-seeds.yaml --data.path data/mhd --out runs/mhd-5-seeds --json
  gmc sweep examples/mhd-5-seeds.yaml --data.path data/mhd --redis redis://:secret@host
  gmc sweep compare runs/demo-sweep runs/other-sweep
  gmc report runs/demo-sweep --out report.html                  all its runs on one page
`;
