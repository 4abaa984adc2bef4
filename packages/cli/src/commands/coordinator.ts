import { CoordinatorHttp, runCoordinator } from "@gmc/coordinator";
import { runStoreHandler } from "@gmc/storage";
import { Command } from "commander";
import type { HttpAddress, HttpHandler } from "../cluster/http-server.ts";
import { boardPasswordOption, httpOption, serveHandlers } from "../cluster/http-server.ts";
import { neededRedis, redisOption, reduceRedisOption, withParentOption } from "../cluster/redis-options.ts";
import { neededToken } from "../cluster/run-store-options.ts";
import { runService } from "../cluster/service.ts";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";

interface CoordinatorFlags {
  readonly redis?: string;
  readonly reduceRedis?: readonly string[];
  readonly runs?: string;
  readonly http?: HttpAddress;
  readonly boardPassword?: string;
  readonly withParent?: boolean;
}

const HTTP: HttpAddress = { host: "127.0.0.1", port: 8766 };

/** `gmc coordinator`: conducts a cluster's runs until it is stopped. */
export const coordinatorCommand = (context: Context): Command =>
  new Command("coordinator")
    .description("Conduct a cluster's runs, or stand by while another coordinator does. Logs go to standard error.")
    .addOption(redisOption())
    .addOption(reduceRedisOption())
    .option("--runs <dir>", "keep the runs of workers that share no folder here, and serve them over HTTP")
    .addOption(httpOption(`serve /healthz, /metrics and these; default with --runs ${HTTP.host}:${HTTP.port}`))
    .addOption(boardPasswordOption())
    .addOption(withParentOption())
    .addHelpText("after", EXAMPLES)
    .action((flags: CoordinatorFlags) => coordinate(context, flags));

async function coordinate(context: Context, flags: CoordinatorFlags): Promise<void> {
  refuseOverrides(context, "coordinator");
  const { logger } = context;
  const { redis, reduceRedis = [], runs, http, boardPassword, withParent = false } = flags;
  const url = await neededRedis(redis, "coordinator");
  const handlers: HttpHandler[] =
    runs === undefined ? [] : [runStoreHandler({ root: runs, token: neededToken(), logger })];
  const board = boardPassword === undefined || boardPassword === "" ? {} : { boardPassword };
  const health = http && (await CoordinatorHttp.open({ redis: url, ...board, logger }));
  if (health) handlers.unshift(health.handle);
  const server = handlers.length === 0 ? undefined : await serveHandlers(http ?? HTTP, handlers, logger);
  try {
    const coordinator = runCoordinator({ redis: url, ...(reduceRedis.length > 0 && { reduce: reduceRedis }), logger });
    await runService(context, coordinator, { name: "coordinator", withParent });
  } finally {
    await server?.close();
    await health?.close();
  }
}

const EXAMPLES = `
With --http the coordinator answers /healthz, gives Prometheus its /metrics, and with a password shows the queue at /board.
Without --reduce-redis gradients go through the control Redis too; with several they are spread over them.

Examples:
  gmc coordinator --redis redis://:secret@control
  gmc coordinator --redis redis://:secret@control --reduce-redis redis://:secret@reduce-1 --reduce-redis redis://:secret@reduce-2
  GMC_RUN_STORE_TOKEN=$(openssl rand -hex 16) gmc coordinator --redis redis://:secret@control --runs runs --http 0.0.0.0:8766
`;
