import { spawn } from "node:child_process";
import { chmod, mkdir, open } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CancelledError, decodeError, EnvironmentError, UsageError } from "@gmc/core";
import { Command, Option } from "commander";
import type { ClusterFile } from "../cluster/cluster-file.ts";
import { readClusterFile, runningCluster } from "../cluster/cluster-file.ts";
import type { Listen } from "../cluster/local-cluster.ts";
import { counted } from "../cluster/members-text.ts";
import { clusterDirOption } from "../cluster/redis-options.ts";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { integer } from "../options.ts";
import type { KeepAnswer, KeepOrder } from "./keep-cluster.ts";

interface UpFlags {
  readonly workers: number;
  readonly threads?: number;
  readonly dir: string;
  readonly bind?: string;
  readonly port?: number;
  readonly host?: string;
  readonly password?: string;
}

const PORT = 6379;

/** `gmc cluster up`: Redis, coordinator and workers on this machine, in the background. */
export const clusterUpCommand = (context: Context): Command =>
  new Command("up")
    .description("Start Redis, a coordinator and workers on this machine, in the background.")
    .requiredOption("--workers <n>", "worker processes", integer(1))
    .option("--threads <n>", "threads of each worker; default: the cores divided among them", integer(1))
    .addOption(clusterDirOption())
    .option("--bind <address>", "let workers of other machines in at this address; needs a password unless it is local")
    .option(
      "--port <n>",
      `with --bind: port of the control Redis, the next one is the reduce Redis's; default ${PORT}`,
      integer(1),
    )
    .option("--host <name>", "with --bind: the name by which other machines reach this one")
    .addOption(new Option("--password <text>", "with --bind: the password of Redis").env("GMC_REDIS_PASSWORD"))
    .addHelpText("after", EXAMPLES)
    .action((flags: UpFlags) => clusterUp(context, flags));

async function clusterUp(context: Context, { password, ...flags }: UpFlags): Promise<void> {
  refuseOverrides(context, "cluster up");
  const { workers, threads } = flags;
  const dir = resolve(flags.dir);
  const before = await readClusterFile(dir);
  if (before && before.state !== "gone") {
    throw new UsageError(`A cluster runs in ${flags.dir} already (process ${before.pid}): gmc cluster down stops it.`, {
      dir,
      pid: before.pid,
    });
  }
  await mkdir(join(dir, "logs"), { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const listen = listenOf(flags);
  const order: KeepOrder = { dir, workers, ...(threads !== undefined && { threads }), ...(listen && { listen }) };
  await keptInBackground(context, order, password);
  const cluster = await runningCluster(dir);
  const document = { dir: flags.dir, pid: cluster.pid, workers, threads: cluster.threads, redis: cluster.redis };
  context.output.result(document, upText(flags, cluster, listen));
}

function listenOf({ bind, port = PORT, host }: Omit<UpFlags, "password">): Listen | undefined {
  if (bind === undefined) return undefined;
  const every = bind === "0.0.0.0" || bind === "::" || bind === "*";
  return { bind, port, host: host ?? (every ? hostname() : bind) };
}

/** Starts the process that keeps the cluster and waits until it says that the cluster is up. */
async function keptInBackground({ signal, output }: Context, order: KeepOrder, password = ""): Promise<void> {
  const entry = fileURLToPath(new URL("../../bin/gmc.js", import.meta.url));
  const log = join(order.dir, "logs", "cluster.log");
  const file = await open(log, "a", 0o600);
  output.say(`Starting Redis, a coordinator and ${counted(order.workers, "worker")} ...`);
  const keeper = spawn(process.execPath, [...process.execArgv, entry, "keep-cluster", JSON.stringify(order)], {
    detached: true,
    stdio: ["ignore", file.fd, file.fd, "ipc"],
    env: { ...process.env, GMC_REDIS_PASSWORD: password },
  });
  const stop = (): void => void keeper.kill("SIGKILL");
  signal.addEventListener("abort", stop, { once: true });
  try {
    const answer = await new Promise<KeepAnswer | string>((settle) => {
      keeper.once("message", (words: KeepAnswer) => settle(words));
      keeper.once("error", (error) => settle(error.message));
      keeper.once("exit", (code, name) => settle(`its process ended with ${name ?? code}; see ${log}`));
      if (signal.aborted) stop();
    });
    if (signal.aborted) throw new CancelledError("Stopped before the cluster was up; nothing is left of it.");
    if (typeof answer === "string") throw new EnvironmentError(`The cluster did not start: ${answer}.`, { log });
    if ("failed" in answer) throw decodeError(answer.failed);
  } finally {
    signal.removeEventListener("abort", stop);
    if (keeper.connected) keeper.disconnect();
    keeper.unref();
    await file.close();
  }
}

const upText = ({ dir }: Omit<UpFlags, "password">, cluster: ClusterFile, listen: Listen | undefined): string =>
  [
    `A cluster of ${counted(cluster.workers, "worker")} (${counted(cluster.threads, "thread")} each) is up; its logs are in ${join(dir, "logs")}.`,
    ...(listen ? [`Others join  GMC_REDIS=redis://:PASSWORD@${listen.host}:${listen.port} gmc worker`] : []),
    `Train        gmc train CONFIG --redis ${dir}`,
    "Watch        gmc cluster status --watch",
    "Stop         gmc cluster down",
  ].join("\n");

const EXAMPLES = `
Redis listens on Unix sockets in the folder that only this user can open, unless --bind says otherwise. The queue survives
a restart: gmc cluster down, gmc cluster up.

Examples:
  gmc cluster up --workers 4
  GMC_REDIS_PASSWORD=secret gmc cluster up --workers 2 --bind 0.0.0.0 --host gpu1.example
`;
