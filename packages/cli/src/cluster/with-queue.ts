import { UsageError } from "@gmc/core";
import type { JobQueue } from "@gmc/jobs";
import { openQueue } from "@gmc/jobs";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { readClusterFile } from "./cluster-file.ts";
import { redisUrl } from "./redis-options.ts";

/** Where `gmc cluster up` keeps its cluster unless it is told otherwise. */
const LOCAL = ".gmc/cluster";

/**
 * Works with a cluster's queue: the one that `--redis` or GMC_REDIS names (a URL, or the folder of `gmc cluster up`), else
 * that of this folder's own cluster.
 *
 * @throws {UsageError} where none is named and none runs here
 */
export async function withQueue<T>(
  context: Context,
  redis: string | undefined,
  work: (queue: JobQueue) => Promise<T>,
): Promise<T> {
  const queue = await openQueue(await queueUrl(redis), { logger: context.logger });
  try {
    return await work(queue);
  } finally {
    await queue.close();
  }
}

/** The same for a command that takes no config flags. */
export function withQueueOf<T>(
  context: Context,
  command: string,
  redis: string | undefined,
  work: (queue: JobQueue) => Promise<T>,
): Promise<T> {
  refuseOverrides(context, command);
  return withQueue(context, redis, work);
}

async function queueUrl(redis: string | undefined): Promise<string> {
  if (redis !== undefined && redis !== "") return redisUrl(redis);
  const here = await readClusterFile(LOCAL);
  if (here?.state === "running") return here.redis;
  throw new UsageError(
    "Which cluster? Name its control Redis with --redis URL or in GMC_REDIS, or start one here: gmc cluster up --workers 2.",
  );
}
