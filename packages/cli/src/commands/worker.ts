import type { HttpServer } from "@gmc/storage";
import type { RunningWorker } from "@gmc/worker";
import { runWorker, workerHttp } from "@gmc/worker";
import { Command } from "commander";
import type { HttpAddress } from "../cluster/http-server.ts";
import { httpOption, serveHandlers } from "../cluster/http-server.ts";
import { neededRedis, redisOption, withParentOption } from "../cluster/redis-options.ts";
import { neededToken, storeOption } from "../cluster/run-store-options.ts";
import { runService } from "../cluster/service.ts";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { integer } from "../options.ts";

interface WorkerFlags {
  readonly redis?: string;
  readonly threads?: number;
  readonly id?: string;
  readonly store?: string;
  readonly http?: HttpAddress;
  readonly withParent?: boolean;
}

/** `gmc worker`: computes for a cluster until it is stopped. */
export const workerCommand = (context: Context): Command =>
  new Command("worker")
    .description(
      "Compute for a cluster until stopped; SIGTERM and Ctrl-C leave in good order. Logs go to standard error.",
    )
    .addOption(redisOption())
    .option("--threads <n>", "threads that compute; default: the run's engine.threads", integer(1))
    .option("--id <name>", "unique in the cluster; default: host, process and a random word")
    .addOption(storeOption())
    .addOption(httpOption("serve /healthz and /metrics"))
    .addOption(withParentOption())
    .addHelpText("after", EXAMPLES)
    .action(async ({ redis, threads, id, store, http, withParent = false }: WorkerFlags) => {
      refuseOverrides(context, "worker");
      const worker = runWorker({
        redis: await neededRedis(redis, "worker"),
        ...(threads !== undefined && { threads }),
        ...(id !== undefined && { id }),
        ...(store !== undefined && { store: { url: store, token: neededToken() } }),
        logger: context.logger,
      });
      const server = http && (await serveWorker(context, worker, http));
      try {
        await runService(context, worker, { name: "worker", withParent });
      } finally {
        await server?.close();
      }
    });

/** A worker whose address is in use does not stay. */
async function serveWorker({ logger }: Context, worker: RunningWorker, http: HttpAddress): Promise<HttpServer> {
  try {
    return await serveHandlers(http, [workerHttp(worker)], logger);
  } catch (error) {
    await worker.close();
    throw error;
  }
}

const EXAMPLES = `
Relative paths of a run's data and folder start at this process's working folder; with --store a run's folder is a name there.

Examples:
  gmc worker --redis redis://:secret@coordinator-host
  GMC_REDIS=rediss://gmc:secret@redis.example gmc worker --threads 4
  GMC_RUN_STORE_TOKEN=… gmc worker --redis redis://:secret@alpha --store http://alpha:8766/runs/
`;
