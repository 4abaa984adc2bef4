import { hostname } from "node:os";
import { EnvironmentError } from "@gmc/core";
import type { WorkerReport } from "@gmc/protocol";
import { clusterKeys } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { openConnection, parseRedisUrl } from "@gmc/redis";
import { Argument, Command } from "commander";
import { neededRedis, redisOption } from "../cluster/redis-options.ts";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";

const CONNECT_MS = 3000;

/** `gmc cluster health ROLE`: for health checks of containers, so it loads little. */
export const clusterHealthCommand = (context: Context): Command =>
  new Command("health")
    .description("Exit with 0 when a worker of this host is registered, or a coordinator leads; for health checks.")
    .addArgument(new Argument("<role>", "what should run").choices(["worker", "coordinator"]))
    .addOption(redisOption())
    .addHelpText("after", "\nExamples:\n  gmc cluster health worker\n")
    .action(async (role: "worker" | "coordinator", { redis }: { redis?: string }) => {
      refuseOverrides(context, "cluster health");
      const address = parseRedisUrl(await neededRedis(redis, "cluster health"));
      const connection = await openConnection(address, { connectTimeoutMs: CONNECT_MS });
      try {
        const host = hostname();
        const id = await (role === "worker" ? workerOf(connection, host) : leader(connection));
        const where = role === "worker" ? ` on ${host}` : "";
        if (id === undefined) throw new EnvironmentError(`No ${role} is alive${where}.`, { role, host });
        context.output.result({ role, id }, `${role} ${id} is alive`);
      } finally {
        connection.close();
      }
    });

async function workerOf(connection: RedisConnection, host: string): Promise<string | undefined> {
  const ids = await connection.client.smembers(clusterKeys.workers);
  const reports = ids.length === 0 ? [] : await connection.client.mget(ids.map(clusterKeys.worker));
  return reports
    .filter((text) => text !== null)
    .map((text): WorkerReport => JSON.parse(text))
    .find((worker) => worker.host === host)?.id;
}

async function leader(connection: RedisConnection): Promise<string | undefined> {
  return (await connection.client.hget(clusterKeys.leader, "owner")) ?? undefined;
}
