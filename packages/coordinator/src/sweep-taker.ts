import type { Logger } from "@gmc/core";
import type { JobQueue, SweepJobData, SweepResult, TrainJobResult } from "@gmc/jobs";
import { gatherSweep, queueOver } from "@gmc/jobs";
import { jobNames } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { Worker } from "bullmq";

/**
 * Puts the results of sweeps together, each when its last run is over, for as long as this coordinator leads. Doing it twice
 * gives the same.
 */
export class SweepTaker {
  readonly #queue: JobQueue;
  readonly #worker: Worker<SweepJobData, SweepResult, "sweep">;

  constructor(control: RedisConnection, leaseMs: number, logger: Logger) {
    this.#queue = queueOver(control, logger);
    this.#worker = new Worker<SweepJobData, SweepResult, "sweep">(
      jobNames.sweep,
      async (job) => {
        const values = (await job.getChildrenValues()) as Record<string, TrainJobResult>;
        const result = await gatherSweep(this.#queue, job.id ?? "", job.data, values);
        logger.info("sweep.ended", { sweep: job.id, runs: job.data.cells.length, failed: result.failed.length });
        return result;
      },
      {
        connection: control.client,
        prefix: jobNames.prefix,
        lockDuration: leaseMs,
        stalledInterval: leaseMs / 2,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
      },
    );
    this.#worker.on("error", (error) => logger.warn("queue.error", { message: error.message }));
  }

  async close(): Promise<void> {
    const closed = this.#worker.close().catch(() => {});
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
    await Promise.race([this.#queue.close(), new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
  }
}

const CLOSE_MS = 5000;
