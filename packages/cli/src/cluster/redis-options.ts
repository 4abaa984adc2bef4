import { UsageError } from "@gmc/core";
import { Option } from "commander";
import { runningCluster } from "./cluster-file.ts";

/** `--redis URL`, or GMC_REDIS: a password in the environment stands in no list of processes. */
export const redisOption = (): Option =>
  new Option(
    "--redis <url>",
    "the control Redis: redis://[user:password@]host[:port], rediss:// for TLS, unix:///path",
  ).env("GMC_REDIS");

/** `--reduce-redis URL`, any number of times; GMC_REDUCE_REDIS has them with spaces between. */
export const reduceRedisOption = (): Option =>
  new Option("--reduce-redis <url>", "a Redis for gradients, as the workers reach it; may be repeated")
    .env("GMC_REDUCE_REDIS")
    .argParser((text, before: readonly string[] = []) => [...before, ...text.split(/\s+/).filter((url) => url !== "")]);

/** The URL that `--redis` means. @throws {UsageError} for a folder where no cluster runs */
export const redisUrl = async (redis: string): Promise<string> =>
  redis.includes("://") ? redis : (await runningCluster(redis)).redis;

/** @throws {UsageError} where neither flag nor variable names a server */
export async function neededRedis(redis: string | undefined, command: string): Promise<string> {
  if (redis !== undefined && redis !== "") return redisUrl(redis);
  throw new UsageError(
    `gmc ${command}: name the cluster's control Redis with --redis URL or in the environment variable GMC_REDIS.`,
  );
}

/** `--with-parent`, for processes that are started by another one of ours. */
export const withParentOption = (): Option =>
  new Option("--with-parent", "end when the parent process does").hideHelp();

/** `--dir DIR`: where `gmc cluster up` keeps its cluster. */
export const clusterDirOption = (): Option =>
  new Option("--dir <dir>", "the cluster's folder: settings, logs, the queue's file").default(".gmc/cluster");
