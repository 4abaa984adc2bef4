import { setTimeout as delay } from "node:timers/promises";
import { UsageError } from "@gmc/core";
import type { ClusterView, JobQueue } from "@gmc/jobs";
import { openQueue, readCluster } from "@gmc/jobs";
import { describeAddress, parseRedisUrl } from "@gmc/redis";
import { Command } from "commander";
import { clusterText } from "../cluster/cluster-text.ts";
import { clusterDirOption, redisOption, redisUrl } from "../cluster/redis-options.ts";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";

interface StatusFlags {
  readonly dir: string;
  readonly redis?: string;
  readonly watch?: true;
}

const WATCH_MS = 1000;

/** `gmc cluster status`: who computes, and what. */
export const clusterStatusCommand = (context: Context): Command =>
  new Command("status")
    .description("Show a cluster's workers and runs, with throughput and times of the all-reduce.")
    .addOption(clusterDirOption())
    .addOption(redisOption())
    .option("--watch", "every second, until Ctrl-C")
    .addHelpText("after", EXAMPLES)
    .action((flags: StatusFlags) => clusterStatus(context, flags));

async function clusterStatus(context: Context, { dir, redis, watch }: StatusFlags): Promise<void> {
  refuseOverrides(context, "cluster status");
  const { output, logger } = context;
  if (watch && output.json) {
    throw new UsageError("--watch shows a table; a program asks again and again: gmc cluster status --json.");
  }
  const url = await redisUrl(redis ?? dir);
  const queue = await openQueue(url, { logger });
  try {
    if (watch) return await watchCluster(context, queue);
    const view = await readCluster(queue);
    output.result({ redis: describeAddress(parseRedisUrl(url)), ...view }, clusterText(view));
  } finally {
    await queue.close();
  }
}

/** Draws the tables over themselves on a terminal, below each other elsewhere. */
async function watchCluster({ output, signal }: Context, queue: JobQueue): Promise<void> {
  const terminal = output.errors.isTTY === true;
  while (!signal.aborted) {
    output.result(undefined, frame(await readCluster(queue), terminal));
    await delay(WATCH_MS, undefined, { signal }).catch(() => {});
  }
}

const frame = (view: ClusterView, terminal: boolean): string =>
  terminal ? `\u001b[H\u001b[2J${clusterText(view)}` : `${clusterText(view)}\n`;

const EXAMPLES = `
Examples:
  gmc cluster status
  gmc cluster status --redis redis://:secret@host --watch
`;
