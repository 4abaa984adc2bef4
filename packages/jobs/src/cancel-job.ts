import { UsageError } from "@gmc/core";
import type { JobQueue } from "./open-queue.ts";
import { childId } from "./sweep/sweep-job.ts";

/** `removed`: it had not begun. `requested`: its workers will leave a checkpoint and end; watch it. `ended`: it was over. */
export type CancelOutcome = "removed" | "requested" | "ended";

/**
 * Stops a job in good order; of a sweep all runs that are not over, after which it ends with what there is.
 *
 * @throws {UsageError} when there is no such job
 */
export async function cancelJob(queue: JobQueue, id: string): Promise<CancelOutcome> {
  if (await queue.train.getJob(id)) return cancelRun(queue, id);
  const sweep = await queue.sweep.getJob(id);
  if (!sweep) throw new UsageError(`There is no job ${id} in the queue.`, { job: id });
  if (sweep.finishedOn !== undefined) return "ended";
  // The last one first: those that have not begun are gone before they could.
  for (const index of [...sweep.data.cells.keys()].reverse()) await cancelRun(queue, childId(id, index));
  return "requested";
}

async function cancelRun(queue: JobQueue, id: string): Promise<CancelOutcome> {
  for (let attempt = 0; ; attempt++) {
    const job = await queue.train.getJob(id);
    if (!job || job.finishedOn !== undefined) return "ended";
    if (await job.isActive()) {
      await job.updateData({ ...job.data, request: "cancel" });
      return "requested";
    }
    try {
      await job.remove();
      return "removed";
    } catch (error) {
      if (attempt === ATTEMPTS) throw error; // else: it was taken in this moment
    }
  }
}

const ATTEMPTS = 3;
