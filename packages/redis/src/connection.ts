import type { Logger } from "@gmc/core";
import { CancelledError, EnvironmentError, silentLogger } from "@gmc/core";
import { Redis } from "ioredis";
import type { RedisAddress } from "./address.ts";
import { describeAddress } from "./address.ts";
import { tlsOptions } from "./channel-socket.ts";
import { retryDelayMs } from "./retry-delay.ts";
import type { ServerInfo } from "./server-info.ts";
import { readServerInfo } from "./server-info.ts";

export interface ConnectionOptions {
  readonly name?: string;
  readonly logger?: Logger;
  /** The first connection has to stand within so long; later ones are tried for ever. */
  readonly connectTimeoutMs?: number;
}

/** A Lua script. A server that does not know it yet, restarted for instance, is sent it whole. */
export interface Script {
  readonly name: string;
  readonly lua: string;
}

/** What runs commands and scripts: a connection or a channel. */
export interface CommandRunner {
  command(words: readonly (string | number)[]): Promise<unknown>;
  evaluate(script: Script, keys: readonly string[], words: readonly (string | number)[]): Promise<unknown>;
}

/**
 * A connection for small commands. When it breaks, it is opened again and what was unanswered is sent again, so every
 * command must be one that may run twice.
 */
export class RedisConnection {
  readonly address: RedisAddress;
  /** For libraries that want ioredis itself (BullMQ). */
  readonly client: Redis;
  readonly #listeners = new Set<(runId: string, previous: string) => void>();
  readonly #logger: Logger;
  #runId: string;
  #closed = false;

  /** @param info  of the server that `client` is connected to */
  constructor(address: RedisAddress, client: Redis, info: ServerInfo, logger: Logger) {
    this.address = address;
    this.client = client;
    this.#runId = info.runId;
    this.#logger = logger;
    client.on("ready", () => void this.#checkRunId());
    client.on("close", () => this.#closed || logger.warn("redis.connection-lost", { redis: describeAddress(address) }));
  }

  /** Random id of the server process as last seen: another one means that it was restarted and may have lost data. */
  get runId(): string {
    return this.#runId;
  }

  /** Calls `listener` when a reconnection finds another server process. Returns the function that stops it. */
  onRestart(listener: (runId: string, previous: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The reply to a command that may run twice.
   *
   * @throws {CancelledError} when `signal` fires before the answer is there; the command may still run
   */
  async command(words: readonly (string | number)[], signal?: AbortSignal): Promise<unknown> {
    const [name, ...rest] = words;
    return await raced(this.client.call(String(name), ...rest.map(String)), signal);
  }

  /** The reply of a script. */
  evaluate(
    { lua }: Script,
    keys: readonly string[],
    words: readonly (string | number)[],
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.command(["EVAL", lua, keys.length, ...keys, ...words], signal);
  }

  serverInfo(): Promise<ServerInfo> {
    return readServerInfo((section) => this.client.info(section));
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.client.disconnect();
  }

  async #checkRunId(): Promise<void> {
    const info = await this.serverInfo().catch(() => undefined); // lost again: the next "ready" looks
    if (!info || info.runId === this.#runId || this.#closed) return;
    const previous = this.#runId;
    this.#runId = info.runId;
    this.#logger.warn("redis.restarted", { redis: describeAddress(this.address), runId: info.runId, previous });
    for (const listener of this.#listeners) listener(info.runId, previous);
  }
}

/**
 * Connects, waiting for the first connection.
 *
 * @throws {EnvironmentError} when there is none within `connectTimeoutMs`, or the server refuses who we are
 */
export async function openConnection(
  address: RedisAddress,
  { name = "gmc", logger = silentLogger, connectTimeoutMs = 10_000 }: ConnectionOptions = {},
): Promise<RedisConnection> {
  const { at, tls, username, password, db } = address;
  const client = new Redis({
    ...at,
    ...(tls && { tls: tlsOptions(at, tls) }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    db,
    connectionName: name,
    disableClientInfo: true,
    keepAlive: 10_000,
    socketTimeout: SILENT_MS,
    maxRetriesPerRequest: null, // commands wait for the server; who cannot wait passes a signal
    retryStrategy: (attempt) => retryDelayMs(attempt),
  });
  try {
    const info = await firstInfo(client, connectTimeoutMs);
    return new RedisConnection(address, client, info, logger);
  } catch (cause) {
    client.disconnect();
    const where = describeAddress(address);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EnvironmentError(`No connection to Redis at ${where}: ${why}`, { address: where }, { cause });
  }
}

/** Facts of the server once the connection stands; the last error otherwise, at once where waiting cannot help. */
function firstInfo(client: Redis, timeoutMs: number): Promise<ServerInfo> {
  return new Promise((resolve, reject) => {
    let last = new Error(`no answer within ${timeoutMs} ms; is the address right?`);
    const timer = setTimeout(() => reject(last), timeoutMs);
    client.on("error", (error: Error) => {
      last = error;
      if (!REFUSED.test(error.message)) return;
      clearTimeout(timer);
      reject(error);
    });
    client.once("ready", () => {
      clearTimeout(timer);
      readServerInfo((section) => client.info(section)).then(resolve, reject);
    });
  });
}

/**
 * A connection that owes an answer for so long is opened anew: a network that was cut shows no error, and TCP would wait for
 * minutes. BullMQ blocks for 10 s at most.
 */
const SILENT_MS = 15_000;

const REFUSED = /WRONGPASS|NOAUTH|NOPERM|invalid password|without any password/;

function raced<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return answer;
  return new Promise((resolve, reject) => {
    const cancel = (): void =>
      reject(new CancelledError("Waiting for Redis was cancelled.", {}, { cause: signal.reason }));
    if (signal.aborted) cancel();
    signal.addEventListener("abort", cancel, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", cancel));
  });
}
