import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { encodeError } from "@gmc/core";
import { Command } from "commander";
import { publishCluster } from "../cluster/cluster-file.ts";
import { clusterService } from "../cluster/cluster-service.ts";
import type { Listen } from "../cluster/local-cluster.ts";
import { startLocalCluster } from "../cluster/local-cluster.ts";
import { runService } from "../cluster/service.ts";
import type { Context } from "../context.ts";

/** What `gmc cluster up` hands to the process that keeps the cluster, as JSON; the password comes by the environment. */
export interface KeepOrder {
  readonly dir: string;
  readonly workers: number;
  readonly threads?: number;
  readonly listen?: Listen;
}

/** What that process says back, once. */
export type KeepAnswer = { readonly ready: true } | { readonly failed: ReturnType<typeof encodeError> };

/** `gmc keep-cluster ORDER`, hidden: the process behind `gmc cluster up`. It outlives its parent once the cluster is up. */
export const keepClusterCommand = (context: Context): Command =>
  new Command("keep-cluster").argument("<order>").action(async (text: string) => {
    const order: KeepOrder = JSON.parse(text);
    const orphaned = (): void => process.exit(1);
    process.once("disconnect", orphaned);
    const service = await clusterOf(context, order);
    service.ready.then(
      () => {
        process.off("disconnect", orphaned);
        answer({ ready: true });
      },
      (error: unknown) => answer({ failed: encodeError(error) }),
    );
    await runService(context, service, { name: "cluster", withParent: false });
  });

function answer(words: KeepAnswer): void {
  process.send?.(words);
}

async function clusterOf({ logger }: Context, { dir, workers, threads, listen }: KeepOrder) {
  const logs = join(dir, "logs");
  await mkdir(logs, { recursive: true });
  const password = process.env.GMC_REDIS_PASSWORD;
  return clusterService(
    () =>
      startLocalCluster({
        dir,
        workers,
        ...(threads !== undefined && { threads }),
        ...(listen && { listen: { ...listen, ...(password && { password }) } }),
        log: (name) => createWriteStream(join(logs, `${name}.log`), { flags: "a" }),
        logLevel: process.env.GMC_LOG ?? "info",
        say: (line) => logger.warn("cluster.restarts", { line }),
      }),
    (cluster) => publishCluster(dir, { pid: process.pid, redis: cluster.redis, workers, threads: cluster.threads }),
  );
}
