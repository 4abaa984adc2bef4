import type { Logger } from "@gmc/core";
import { silentLogger } from "@gmc/core";
import { jobNames } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { openServer } from "@gmc/redis";
import { FlowProducer, Queue } from "bullmq";
import type { SweepJobData } from "./sweep/sweep-job.ts";
import type { SweepResult } from "./sweep/sweep-result.ts";
import type { TrainJobData, TrainJobResult } from "./train-job.ts";

/** The queue of a cluster, for those who submit and watch. */
export interface JobQueue {
  readonly control: RedisConnection;
  readonly train: Queue<TrainJobData, TrainJobResult, "train">;
  /** Parents of runs: they aggregate. */
  readonly sweep: Queue<SweepJobData, SweepResult, "sweep">;
  /** Adds a parent with its children. */
  readonly flow: FlowProducer;
  close(): Promise<void>;
}

export interface QueueOptions {
  readonly logger?: Logger;
  /** The first connection has to stand within so long. */
  readonly connectTimeoutMs?: number;
}

/** Entries of the queue's own stream of events, which we do not read. */
const EVENTS_KEPT = 100;
/** Jobs that are over stay so many, the latest ones. */
export const KEPT = { removeOnComplete: { count: 1000 }, removeOnFail: { count: 1000 } } as const;

/**
 * Opens the queue of a cluster.
 *
 * @param url  of the control Redis
 * @throws {EnvironmentError} when it cannot be reached or is not fit
 */
export async function openQueue(url: string, options: QueueOptions = {}): Promise<JobQueue> {
  const control = await openServer(url, "control", { name: "gmc-queue", ...options });
  return queueOver(control, options.logger, () => control.close());
}

/** The queue over a connection that stands; `end` is called when it is closed. */
export function queueOver(
  control: RedisConnection,
  logger: Logger = silentLogger,
  end: () => void = () => {},
): JobQueue {
  const common = { connection: control.client, prefix: jobNames.prefix };
  const options = { ...common, streams: { events: { maxLen: EVENTS_KEPT } }, defaultJobOptions: KEPT };
  const train = new Queue<TrainJobData, TrainJobResult, "train">(jobNames.train, options);
  const sweep = new Queue<SweepJobData, SweepResult, "sweep">(jobNames.sweep, options);
  let flow: FlowProducer | undefined; // few add flows
  const warn = (error: Error): void => logger.warn("queue.error", { message: error.message });
  train.on("error", warn);
  sweep.on("error", warn);
  return {
    control,
    train,
    sweep,
    get flow() {
      if (!flow) {
        flow = new FlowProducer(common);
        flow.on("error", warn);
      }
      return flow;
    },
    async close() {
      await Promise.all([train.close(), sweep.close(), flow?.close()]);
      end();
    },
  };
}
