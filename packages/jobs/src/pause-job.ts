import { UsageError } from "@gmc/core";
import type { JobQueue } from "./open-queue.ts";
import type { TrainQueueJob } from "./train-job.ts";

/**
 * Has a run leave a checkpoint and free its workers until `resumeJob`; one that has not begun waits for that too.
 *
 * @throws {UsageError} when there is no such run, or it is over
 */
export async function pauseJob(queue: JobQueue, id: string): Promise<void> {
  const job = await openRun(queue, id, "paused");
  if (job.finishedOn !== undefined) throw new UsageError(`${id} is over; there is nothing to pause.`, { job: id });
  if (job.data.paused) return;
  await job.updateData({ ...job.data, request: "pause" });
}

/**
 * Has a paused run go on from its checkpoint.
 *
 * @throws {UsageError} when it is not paused
 */
export async function resumeJob(queue: JobQueue, id: string): Promise<void> {
  const job = await openRun(queue, id, "resumed");
  if (!job.data.paused && job.data.request !== "pause") {
    const why = job.finishedOn === undefined ? "it is under way" : `it is over; gmc retry ${id} trains it again`;
    throw new UsageError(`${id} is not paused: ${why}.`, { job: id });
  }
  await job.updateData(withoutRequest(job));
  if (await job.isDelayed()) await job.promote();
}

/**
 * Puts a run that failed or was cancelled into the queue again: it goes on from its last checkpoint, where there is one.
 *
 * @throws {UsageError} when it did neither
 */
export async function retryJob(queue: JobQueue, id: string): Promise<void> {
  const job = await openRun(queue, id, "retried");
  const stopped = job.finishedOn !== undefined && !job.failedReason && job.returnvalue?.status === "stopped";
  if (!job.failedReason && !stopped) {
    const why = job.finishedOn === undefined ? "it is not over" : "it has finished";
    throw new UsageError(`${id} cannot be retried: ${why}. Only runs that failed or were cancelled are.`, { job: id });
  }
  await job.updateData({ ...withoutRequest(job), resume: "if-there" });
  await job.retry(stopped ? "completed" : "failed");
}

const withoutRequest = ({ data: { request: _, ...data } }: TrainQueueJob) => ({ ...data, paused: false });

async function openRun(queue: JobQueue, id: string, done: string): Promise<TrainQueueJob> {
  const job = await queue.train.getJob(id);
  if (job) return job;
  if (!(await queue.sweep.getJob(id))) throw new UsageError(`There is no job ${id} in the queue.`, { job: id });
  throw new UsageError(
    `${id} is a sweep; only its runs are ${done}, ${id}-0 and so on. The same gmc sweep command with the same --out keeps what is finished.`,
    { job: id },
  );
}
