import { setTimeout as delay } from "node:timers/promises";
import type { EncodedError } from "@gmc/core";
import { UsageError } from "@gmc/core";
import { describeAddress } from "@gmc/redis";
import type { Job } from "bullmq";
import type { JobEvent, JobReport } from "./job-events.ts";
import type { JobQueue } from "./open-queue.ts";
import { reportOf } from "./report-of.ts";
import type { TrainJobData, TrainJobResult } from "./train-job.ts";

export interface WatchOptions {
  /** Ends the iteration; the job goes on. */
  readonly signal?: AbortSignal;
  /** Default 200. */
  readonly pollMs?: number;
}

/**
 * What happens to a job, from its beginning (the latest hundred news of it) to its end. Redis may be away in between.
 *
 * @throws {UsageError} when there is no such job
 */
export async function* watchJob(
  queue: JobQueue,
  id: string,
  { signal, pollMs = 200 }: WatchOptions = {},
): AsyncGenerator<JobEvent> {
  let seen: Seen = { news: 0, progress: "" };
  for (let first = true; !signal?.aborted; first = false) {
    const job = await queue.train.getJob(id);
    if (!job && first) throw new UsageError(`There is no job ${id} in the queue.`, { job: id });
    if (!job) {
      yield { event: "failed", error: forgotten(queue, id) };
      return;
    }
    const report = reportOf(job);
    yield* newsSince(report, seen);
    seen = { news: report.first + report.news.length, progress: placeOf(report) };
    const end = endOf(job, report);
    if (end) {
      yield end;
      return;
    }
    await delay(pollMs, undefined, signal ? { signal } : {}).catch(() => {});
  }
}

/** What was told already: number of the next news, where the last progress was. */
interface Seen {
  readonly news: number;
  readonly progress: string;
}

const placeOf = ({ progress }: JobReport): string => (progress ? `${progress.step} ${progress.evaluating ?? ""}` : "");

function* newsSince(report: JobReport, seen: Seen): Generator<JobEvent> {
  const { first, news, progress } = report;
  yield* news.slice(Math.max(0, seen.news - first));
  if (progress && placeOf(report) !== seen.progress) yield { event: "progress", ...progress };
}

function endOf(job: Job<TrainJobData, TrainJobResult, "train">, { error }: JobReport): JobEvent | undefined {
  if (job.finishedOn === undefined) return undefined;
  if (job.failedReason) return { event: "failed", error: error ?? plain(job.failedReason) };
  return { event: "completed", record: job.returnvalue };
}

const plain = (message: string): EncodedError => ({ code: "ERR_UNKNOWN", message, details: {} });

function forgotten({ control }: JobQueue, job: string): EncodedError {
  const redis = describeAddress(control.address);
  const message = `The control Redis at ${redis} does not know job ${job} any more: it was restarted without its data. The run's folder has the last checkpoint: submit it again with --resume.`;
  return { code: "ERR_ENVIRONMENT", message, details: { job, redis } };
}
