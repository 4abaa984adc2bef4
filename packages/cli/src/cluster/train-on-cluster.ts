import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ConfigError } from "@gmc/core";
import type { RunConfig, RunRecord } from "@gmc/experiment";
import { openQueue, readCluster, submitTrain } from "@gmc/jobs";
import type { Context } from "../context.ts";
import type { LocalCluster } from "./local-cluster.ts";
import { startLocalCluster } from "./local-cluster.ts";
import { counted } from "./members-text.ts";
import { neverBegan, watchRun } from "./watch-run.ts";

export interface ClusterTraining {
  readonly config: RunConfig;
  readonly out: string;
  readonly resume: boolean;
  /** How many begin; absent with a cluster that runs: one, and as many as there are shards. */
  readonly workers?: number;
  /** The control Redis of a cluster, or one where a cluster may be started; absent: everything is private. */
  readonly redis?: string;
  /** For a coordinator that is started here. */
  readonly reduceRedis: readonly string[];
}

/** Trains on worker processes and gives the run's record. What was started here is gone afterwards, whatever happened. */
export async function trainOnCluster(context: Context, training: ClusterTraining): Promise<RunRecord> {
  refuseIdleWorkers(training);
  const { redis, workers = 1 } = training;
  if (redis !== undefined && (await isCluster(context, redis))) return submitted(context, training, redis);
  context.output.say(
    `Starting ${counted(workers, "worker")} ${redis === undefined ? "and a private Redis" : "and a coordinator"} on this machine ...`,
  );
  const cluster = await startHere(context, training, workers);
  try {
    if (context.signal.aborted) throw neverBegan();
    return await submitted(context, training, cluster.redis, cluster);
  } finally {
    await cluster.close();
  }
}

/** Before anything is started. */
function refuseIdleWorkers({ config, workers = 1 }: ClusterTraining): void {
  const { shards } = config.training;
  if (workers <= shards) return;
  throw new ConfigError(
    `${workers} workers for ${shards} shard${shards === 1 ? "" : "s"}: some would have nothing to do. Raise training.shards (it changes the run's bits) or lower --workers.`,
    { path: "training.shards", workers, shards },
  );
}

/** A cluster that was started a moment ago gets so long to show itself before one is started here. */
const APPEAR_MS = 5000;
const LOOK_MS = 250;

/** True when somebody coordinates or computes at this Redis. */
async function isCluster({ logger, signal }: Context, redis: string): Promise<boolean> {
  const queue = await openQueue(redis, { logger });
  try {
    for (const deadline = performance.now() + APPEAR_MS; !signal.aborted; ) {
      const { coordinator, workers } = await readCluster(queue);
      if (coordinator !== null || workers.length > 0) return true;
      if (performance.now() > deadline) return false;
      await delay(LOOK_MS, undefined, { signal }).catch(() => {});
    }
    throw neverBegan();
  } finally {
    await queue.close();
  }
}

async function startHere(context: Context, training: ClusterTraining, workers: number): Promise<LocalCluster> {
  const { redis, reduceRedis } = training;
  const level = process.env.GMC_LOG;
  return startLocalCluster({
    workers,
    dir: redis === undefined ? await mkdtemp(join(tmpdir(), "gmc-")) : ".",
    temporary: true,
    ...(redis !== undefined && { redis: { control: redis, reduce: reduceRedis } }),
    ...(level !== undefined && { log: () => process.stderr }),
    logLevel: level ?? "warn",
    say: (line) => context.status.note(line),
  });
}

async function submitted(
  context: Context,
  { config, out, resume, workers }: ClusterTraining,
  redis: string,
  cluster?: LocalCluster,
): Promise<RunRecord> {
  const queue = await openQueue(redis, { logger: context.logger });
  try {
    const share = workers === undefined ? {} : { workers: { min: workers, max: workers } };
    const id = await submitTrain(queue, { config, out, resume, ...share });
    const exclusive = cluster !== undefined && (await readCluster(queue)).workers.length <= (workers ?? 1);
    return await watchRun(context, queue, id, cluster && { failed: cluster.failed, exclusive });
  } finally {
    await queue.close();
  }
}
