import { spawn } from "node:child_process";
import { mkdir, rm, rmdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { ConfigError, EnvironmentError, isLoopback } from "@gmc/core";
import { openServer } from "./open-server.ts";
import type { ServerRole } from "./server-info.ts";
import type { RedisPlace, RedisSettings } from "./server-settings.ts";
import { formatSettings, settingsOf } from "./server-settings.ts";

export interface StartRedisOptions {
  /** The server's own folder, made where it is missing: settings, socket, and the append-only file of a control server. */
  readonly dir: string;
  /** `control` keeps an append-only file, `reduce` nothing; neither drops keys. */
  readonly role: ServerRole;
  /** Listens at this address; without it and `port` on a Unix socket in `dir` that only this user can open. */
  readonly bind?: string;
  /** 0 or absent: a free one. */
  readonly port?: number;
  /** The host in the URL; default `bind`, for one that means every address 127.0.0.1. */
  readonly host?: string;
  readonly password?: string;
  /** Further settings, as in redis.conf: `{ "maxmemory-policy": "allkeys-lru" }`; a list gives several words. */
  readonly settings?: RedisSettings;
  /** `dir` goes with `close`, or with this process however it ends, and the folder around it when that is empty. */
  readonly temporary?: boolean;
  /** Has to answer within so long; a large append-only file takes time to read. */
  readonly startTimeoutMs?: number;
}

/** A redis-server of our own: it ends with this process, also when that is killed. */
export interface RunningRedis {
  /** With the password. */
  readonly url: string;
  readonly pid: number;
  /** Settles with the server's last words once it is over, whoever ended it. */
  readonly ended: Promise<string>;
  /** Ends it in good order: what is in the append-only file stays there. */
  close(): Promise<void>;
}

const START_MS = 30_000;
const HOW_TO_GET_IT =
  "there is none on the PATH. Install version 7.0 or newer (Debian: apt-get install redis-server; macOS: brew install redis), or name a server that runs already (--redis URL).";

/**
 * Starts the `redis-server` on the PATH and waits until it answers. Its settings, password included, are in `DIR/redis.conf`
 * that only this user can read, never on a command line.
 *
 * @throws {ConfigError} for a public address without a password
 * @throws {EnvironmentError} when there is no redis-server, it is older than 7.0, or it does not come up: with its own words
 */
export async function startRedis(options: StartRedisOptions): Promise<RunningRedis> {
  const { bind, port, password } = options;
  const host = bind ?? (port === undefined ? undefined : "127.0.0.1");
  if (host !== undefined && !isLoopback(host) && !password) {
    throw new ConfigError(
      `Redis at ${host} could be reached from other machines by anybody: give a password, or bind 127.0.0.1.`,
      { path: "bind", bind: host },
    );
  }
  const dir = resolve(options.dir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const place = host === undefined ? socketIn(dir) : { host, port: port || (await freePort(host)) };
  const file = join(dir, "redis.conf");
  const settings = settingsOf({ ...options, dir, place });
  await writeFile(file, formatSettings(settings), { mode: 0o600 });
  const server = await launch(file, options.temporary ? dir : "");
  try {
    const url = urlOf(place, options);
    const connection = await Promise.race([
      openServer(url, options.role, { name: "gmc-start", connectTimeoutMs: options.startTimeoutMs ?? START_MS }),
      server.ended.then((words) => {
        throw new EnvironmentError(`redis-server does not run: ${words}`, { dir, words });
      }),
    ]);
    connection.close();
    return { url, ...server };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** The longest path of a Unix socket that Linux and macOS take. */
const LONGEST_SOCKET = 103;

function socketIn(dir: string): RedisPlace {
  const path = join(dir, "redis.sock");
  if (Buffer.byteLength(path) <= LONGEST_SOCKET) return { path };
  throw new ConfigError(
    `A Unix socket's path has at most ${LONGEST_SOCKET} bytes: choose a shorter folder than ${dir}.`,
    {
      path: "dir",
      dir,
    },
  );
}

function urlOf(place: RedisPlace, { password, host }: StartRedisOptions): string {
  const secret = password ? `:${encodeURIComponent(password)}@` : "";
  if ("path" in place) {
    const path = place.path.split("/").map(encodeURIComponent).join("/");
    return `unix://${secret}${secret && "localhost"}${path}`;
  }
  const every = place.host === "0.0.0.0" || place.host === "::" || place.host === "*";
  const name = host ?? (every ? "127.0.0.1" : place.host);
  return `redis://${secret}${name.includes(":") ? `[${name}]` : name}:${place.port}`;
}

/** A port that was free a moment ago. */
function freePort(host: string): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const probe = createServer();
    probe.once("error", (cause) =>
      reject(new EnvironmentError(`No port can be opened at ${host}: ${cause.message}`, { host }, { cause })),
    );
    probe.listen(0, host === "*" ? "0.0.0.0" : host, () => {
      const address = probe.address();
      probe.close(() => resolvePort(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

// Between us and the server stands a shell: when its standard input ends, because we close it or because this process was
// killed, it ends the server and removes what is temporary; after a server that died by itself that stays. A session of its own keeps Ctrl-C in a terminal away from both.
const KEEPER = `
exec 3<&0
LC_ALL=C redis-server "$1" </dev/null >&2 3<&- &
server=$!
echo "$server"
exec >&-
(
  while read -r line <&3; do :; done
  trap 'exit 0' TERM
  kill -TERM "$server"
  tries=0
  while kill -0 "$server" && [ "$tries" -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
  kill -KILL "$server"
  exit 0
) >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$server"
status=$?
kill "$watch" 2>/dev/null
if wait "$watch" && [ -n "$2" ]; then rm -rf -- "$2"; rmdir -- "\${2%/*}" 2>/dev/null; fi
exit "$status"
`;

/** What a shell ends with when it finds no such program. */
const NOT_FOUND = 127;

async function launch(file: string, remove: string): Promise<Omit<RunningRedis, "url">> {
  const keeper = spawn("/bin/sh", ["-c", KEEPER, "gmc-redis-keeper", file, remove], { detached: true, stdio: "pipe" });
  let said = "";
  keeper.stderr.on("data", (text: Buffer) => {
    said = `${said}${text}`.slice(-4000);
  });
  keeper.stdin.on("error", () => {}); // it ended first
  keeper.once("exit", () => keeper.stdin.destroy());
  const ended = new Promise<string>((settle) => {
    keeper.once("error", () => settle(HOW_TO_GET_IT)); // no shell: Windows
    keeper.once("close", (code) => settle(code === NOT_FOUND ? HOW_TO_GET_IT : said.trim()));
  });
  const pid = await Promise.race([firstNumber(keeper.stdout), ended.then(() => 0)]);
  return {
    pid,
    ended,
    async close() {
      keeper.stdin.destroy();
      await ended;
      if (remove !== "") await removeFolder(remove); // the server had died before
    },
  };
}

async function removeFolder(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await rmdir(dirname(dir)).catch(() => {});
}

function firstNumber(stream: Readable): Promise<number> {
  return new Promise((settle) => stream.once("data", (text: Buffer) => settle(Number.parseInt(text.toString(), 10))));
}
