import { randomBytes } from "node:crypto";
import { ConfigError, UsageError } from "@gmc/core";
import { jobNames } from "@gmc/protocol";
import type { JobQueue } from "./open-queue.ts";
import type { TrainJob, TrainJobData } from "./train-job.ts";

/**
 * Puts a run into the queue and gives its id, which is the job's and the run's.
 *
 * @throws {ConfigError} when more workers are asked for than there are shards
 * @throws {UsageError} when it is to come after a job that does not exist
 */
export async function submitTrain(queue: JobQueue, job: TrainJob): Promise<string> {
  const { priority, after } = job;
  const data = trainJobData(job);
  if (after !== undefined && !(await queue.train.getJob(after))) {
    throw new UsageError(`There is no job ${after} to come after.`, { job: after });
  }
  const id = jobId(data.name);
  await queue.train.add(jobNames.train, data, { jobId: id, ...(priority !== undefined && { priority }) });
  return id;
}

/** What a job carries. @throws {ConfigError} when more workers are asked for than there are shards */
export function trainJobData(job: TrainJob): TrainJobData {
  const { config, out, resume = false, evaluate = [], after } = job;
  const workers = checkedWorkers(job);
  const name = job.name ?? config.name ?? "run";
  const plain = JSON.parse(JSON.stringify(config)) as unknown;
  const more = { ...(evaluate.length > 0 && { evaluate }), ...(after !== undefined && { after }) };
  return { config: plain, name, out, resume, workers, ...more };
}

/** A new id that begins like a name. */
export const jobId = (name: string): string => `${slug(name)}-${randomBytes(4).toString("hex")}`;

function checkedWorkers({ config, workers }: TrainJob): { readonly min: number; readonly max: number } {
  const { shards } = config.training;
  const { min, max } = workers ?? { min: 1, max: shards };
  if (!(Number.isInteger(min) && Number.isInteger(max) && min >= 1 && max >= min)) {
    throw new ConfigError(`Workers are MIN..MAX, whole numbers with 1 ≤ MIN ≤ MAX; received ${min}..${max}.`, {
      path: "workers",
    });
  }
  const most = workers ? max : shards;
  if (most <= shards) return { min, max: most };
  throw new ConfigError(
    `${most} workers cannot share training.shards ${shards}: each needs one shard at least. Set training.shards to ${most} or more, which must divide training.batchSize ${config.training.batchSize}, or use at most ${shards} workers.`,
    { path: "training.shards", workers: most, shards },
  );
}

/** What of a name may stand in a key, not empty. */
const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40) || "run";
