import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { Writable } from "node:stream";
import type { RunningRedis, ServerRole } from "@gmc/redis";
import { startRedis } from "@gmc/redis";
import { coreShares, reduceServers, workerEnvironment } from "@gmc/worker";
import { startChild } from "./child.ts";
import type { Part } from "./keep-running.ts";
import type { Startable } from "./part-groups.ts";
import { PartGroups } from "./part-groups.ts";

export interface LocalClusterOptions {
  readonly workers: number;
  /** Of each worker; default: the machine's cores divided among them. */
  readonly threads?: number;
  /** Servers that run already; absent: private ones are started. */
  readonly redis?: { readonly control: string; readonly reduce: readonly string[] };
  /** Holds the folders of private servers. */
  readonly dir: string;
  /** `dir` goes with the cluster, also when this process is killed. */
  readonly temporary?: boolean;
  /** Where Redis listens; absent: on Unix sockets in `dir`, or where its path is too long on this machine's loopback. */
  readonly listen?: Listen;
  /** Gets what a process writes to standard error, by its name: "worker-1", "coordinator". */
  readonly log?: (name: string) => Writable;
  /** pino's level in the processes; default "info". */
  readonly logLevel?: string;
  /** Told in one line when a process died and is started again. */
  readonly say?: (line: string) => void;
}

export interface Listen {
  readonly bind: string;
  /** Of the control server; the reduce server has the next one. */
  readonly port: number;
  /** The host by which other machines reach this one; default `bind`. */
  readonly host?: string;
  readonly password?: string;
}

/** Redis servers, a coordinator and workers on this machine; what dies is started again. */
export interface LocalCluster {
  /** URL of the control Redis, with the password. */
  readonly redis: string;
  /** Of each worker. */
  readonly threads: number;
  /** Rejects when a part is given up; never resolves. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

/**
 * Starts a cluster and waits until every worker is registered. Everything ends with this process, however that ends.
 *
 * @throws {EnvironmentError} when a part does not come up: with its last words
 * @throws {ConfigError} for a public address without a password
 */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { workers, threads = coresOfEach(workers), say = () => {} } = options;
  const parts = new PartGroups(say);
  try {
    const { control, reduce } = options.redis ?? (await privateServers(options, parts));
    const process = gmcProcess(options, { GMC_REDIS: control, GMC_REDUCE_REDIS: reduce.join(" ") });
    const shares = coreShares(workers, threads);
    const worker = (_: unknown, i: number) =>
      process(`worker ${i + 1}`, ["worker", "--threads", String(threads)], workerEnvironment(threads), shares?.[i]);
    await Promise.all([
      parts.add([process("coordinator", ["coordinator"], {})]),
      parts.add(Array.from({ length: workers }, worker)),
    ]);
    return { redis: control, threads, failed: parts.failed, close: () => parts.close() };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

const coresOfEach = (workers: number): number => Math.max(1, Math.floor(availableParallelism() / workers));

async function privateServers(options: LocalClusterOptions, parts: PartGroups) {
  const count = options.listen ? 1 : reduceServers(options.workers);
  const reduce = Array.from({ length: count }, (_, i) => server(options, "reduce", `reduce-${i + 1}`));
  const [control, ...others] = await parts.add([server(options, "control"), ...reduce]);
  return { control: control?.url ?? "", reduce: others.map(({ url }) => url) };
}

/** The longest folder below which a server's Unix socket still has a path that the system takes. */
const LONGEST_DIR = 80;

function server(
  { dir, temporary = false, listen }: LocalClusterOptions,
  role: ServerRole,
  name: string = role,
): Startable<RunningRedis> {
  const common = { dir: resolve(dir, name), role, temporary };
  const place = listen
    ? { ...listen, port: listen.port + (role === "control" ? 0 : 1) }
    : Buffer.byteLength(resolve(dir)) > LONGEST_DIR
      ? { port: 0, password: randomBytes(24).toString("base64url") }
      : {};
  return {
    name: `the ${name} Redis`,
    start: () => startRedis({ ...common, ...place }),
    again: ({ url }) => startRedis({ ...common, ...place, ...samePort(url) }),
  };
}

const samePort = (url: string): { readonly port?: number } =>
  url.startsWith("unix:") ? {} : { port: Number(new URL(url).port) };

const gmcProcess =
  ({ log, logLevel = "info" }: LocalClusterOptions, urls: Readonly<Record<string, string>>) =>
  (name: string, args: readonly string[], env: Readonly<Record<string, string>>, cores?: string): Startable<Part> => ({
    name,
    start: () =>
      startChild({
        name,
        args,
        env: { ...(process.env.UV_THREADPOOL_SIZE === undefined && env), ...urls, GMC_LOG: logLevel }, // the user's stands
        ...(cores !== undefined && { cores }),
        ...(log && { log: log(name.replace(" ", "-")) }),
      }),
  });
