import { setTimeout as delay } from "node:timers/promises";
import { EnvironmentError } from "@gmc/core";
import { Command } from "commander";
import { readClusterFile, runningCluster } from "../cluster/cluster-file.ts";
import { clusterDirOption } from "../cluster/redis-options.ts";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";

const DEADLINE_MS = 60_000;
const POLL_MS = 50;

/** `gmc cluster down`: stops what `gmc cluster up` started. */
export const clusterDownCommand = (context: Context): Command =>
  new Command("down")
    .description("Stop the cluster on this machine. The queue stays in its folder, runs keep their last checkpoint.")
    .addOption(clusterDirOption())
    .addHelpText("after", "\nExamples:\n  gmc cluster down\n")
    .action(async ({ dir }: { dir: string }) => {
      refuseOverrides(context, "cluster down");
      const { pid } = await runningCluster(dir);
      process.kill(pid, "SIGTERM");
      await gone(dir, pid);
      context.output.result({ dir, pid, stopped: true }, `The cluster in ${dir} is down.`);
    });

/** @throws {EnvironmentError} when it is still there after a minute */
async function gone(dir: string, pid: number): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const cluster = await readClusterFile(dir);
    if (cluster?.pid !== pid || cluster.state === "gone") return;
    if (performance.now() > deadline) {
      throw new EnvironmentError(
        `The cluster in ${dir} is still there after ${DEADLINE_MS / 1000} s; kill -9 ${pid} ends it with everything it started.`,
        { dir, pid },
      );
    }
    await delay(POLL_MS);
  }
}
