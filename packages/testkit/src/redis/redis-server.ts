import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A redis-server of our own, in a folder of its own, that listens on a Unix socket there and keeps nothing on disk. */
export interface RedisServer {
  readonly url: string;
  readonly pid: number;
  /** Kills the process (SIGKILL) and starts another one at the same address; all data are lost, and the run_id is new. */
  restart(): Promise<void>;
  /** Stops or continues the process, as a machine does that hangs. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

export interface RedisServerOptions {
  /** Further settings, as in redis.conf: `{ "maxmemory-policy": "allkeys-lru" }`; a list gives several words. */
  readonly config?: Readonly<Record<string, string | readonly string[]>>;
}

const STARTUP_MS = 10_000;

/** Why there is no redis-server to spawn, for a test to be skipped with; undefined where there is one. */
export function redisServerMissing(): string | undefined {
  if (spawnSync("redis-server", ["--version"]).status === 0) return undefined;
  return "redis-server is not on the PATH: install it (Debian: apt-get install redis-server) to run this test";
}

/** Why there is no Redis at all: neither REDIS_URL nor a redis-server to spawn; undefined where there is one. */
export const redisMissing = (): string | undefined => (process.env.REDIS_URL ? undefined : redisServerMissing());

/**
 * The server that REDIS_URL names, shared and never restarted, or one of our own. Tests name their keys by a run id of
 * their own.
 */
export async function openRedis(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const url = process.env.REDIS_URL;
  return url ? { url, close: async () => {} } : await startRedisServer();
}

/** Starts a redis-server of the test's own. @throws {Error} with the server's words when it does not come up in 10 s */
export async function startRedisServer({ config = {} }: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "gmc-redis-"));
  const socket = join(folder, "redis.sock");
  const settings = { port: "0", unixsocket: socket, dir: folder, save: "", appendonly: "no", ...config };
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...[value].flat()]);

  let child = await launch(words, socket);
  const killNow = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", killNow);
  return {
    url: `unix://${socket}`,
    get pid() {
      return child.pid ?? -1;
    },
    async restart() {
      await end(child);
      child = await launch(words, socket);
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async close() {
      process.off("exit", killNow);
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function launch(words: readonly string[], socket: string): Promise<ChildProcess> {
  const child = spawn("redis-server", words, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => (said = `${said}${text}`.slice(-4000)));
  const failure = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`redis-server ended with ${code} while starting:\n${said}`)));
  });
  failure.catch(() => {});
  const deadline = Date.now() + STARTUP_MS;
  while (!(await Promise.race([answers(socket), failure]))) {
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`redis-server did not answer within ${STARTUP_MS} ms:\n${said}`);
    }
    await delay(10);
  }
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

/** True once the server says anything to a PING, be it that it wants a password. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket, () => connection.write("PING\r\n"));
    const settle = (alive: boolean) => {
      connection.destroy();
      resolve(alive);
    };
    connection.once("data", (reply) => settle(!reply.toString().startsWith("-LOADING")));
    connection.once("error", () => settle(false));
    connection.setTimeout(1000, () => settle(false));
  });
}
