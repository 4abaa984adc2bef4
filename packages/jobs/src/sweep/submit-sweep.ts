import { posix } from "node:path";
import { jobNames } from "@gmc/protocol";
import type { JobQueue } from "../open-queue.ts";
import { KEPT } from "../open-queue.ts";
import { jobId, trainJobData } from "../submit-train.ts";
import type { Sweep } from "./sweep.ts";
import type { SweepJobData } from "./sweep-job.ts";
import { childId } from "./sweep-job.ts";

export interface SubmitSweepOptions {
  readonly sweep: Sweep;
  /** The sweep's folder, as the workers see it. */
  readonly out: string;
  /** Of every run; default one worker each, so that as many runs as workers go on at once. */
  readonly workers?: { readonly min: number; readonly max: number };
  readonly priority?: number;
}

/** A run that fails for a reason that another attempt may not meet is tried so often. */
const ATTEMPTS = 2;
/** Long enough for workers to have let the last attempt go. */
const BACKOFF_MS = 3000;

/**
 * Puts a sweep into the queue, its runs as children that are trained and evaluated, and gives its id. A run that is in `out`
 * already is kept, or goes on from its checkpoint.
 *
 * @throws {ConfigError} when more workers are asked for than there are shards
 */
export async function submitSweep(queue: JobQueue, options: SubmitSweepOptions): Promise<string> {
  const { sweep, out, workers = { min: 1, max: 1 }, priority } = options;
  const { name, cells, evaluate, best } = sweep;
  const id = jobId(name);
  const places = cells.map(({ name, point, seed }) => ({ name, point, seed }));
  const data: SweepJobData = { name, out, cells: places, ...(best !== undefined && { best }) };
  const children = cells.map((cell, index) => ({
    name: jobNames.train,
    queueName: jobNames.train,
    data: trainJobData({
      config: cell.config,
      out: posix.join(out, cell.name),
      name: `${name}/${cell.name}`,
      resume: "if-there",
      evaluate,
      workers,
    }),
    opts: {
      ...KEPT,
      jobId: childId(id, index),
      attempts: ATTEMPTS,
      backoff: { type: "fixed", delay: BACKOFF_MS },
      ignoreDependencyOnFailure: true,
      ...(priority !== undefined && { priority }),
    },
  }));
  await queue.flow.add({
    name: jobNames.sweep,
    queueName: jobNames.sweep,
    data,
    opts: { ...KEPT, jobId: id },
    children,
  });
  return id;
}
