import { clusterKeys, type WorkerReport } from "@gmc/protocol";
import type { RedisConnection, Script } from "@gmc/redis";

export interface RegistryOptions {
  readonly control: RedisConnection;
  /** A worker is silent when it has not been heard for so long, on the server's clock. */
  readonly ttlMs: number;
  /** Between two looks; when it was much longer, we were away ourselves. */
  readonly tickMs: number;
  /** Milliseconds of a steady clock. */
  readonly now?: () => number;
}

/**
 * The workers of a cluster as they were at the last look. Liveness is keys with a time to live; but when we have not
 * looked for a while (this process or machine slept, Redis was away), all of them may have run out at once, and nobody is
 * declared dead before everyone has had time for a heartbeat.
 */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #now: () => number;
  #reports: ReadonlyMap<string, WorkerReport> = new Map();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #blindUntil = Number.POSITIVE_INFINITY;
  #serverId: string;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#serverId = options.control.runId;
  }

  /** Those that are alive, by id, in the order of their ids. */
  get reports(): ReadonlyMap<string, WorkerReport> {
    return this.#reports;
  }

  /** True while a missing heartbeat proves nothing. */
  get blind(): boolean {
    return this.#now() < this.#blindUntil;
  }

  async look(): Promise<void> {
    const { control, ttlMs, tickMs } = this.#options;
    const texts = (await control.evaluate(
      LOOK,
      [clusterKeys.workers],
      [clusterKeys.worker("x").slice(0, -1)],
    )) as string[];
    const reports = texts.map((text) => JSON.parse(text) as WorkerReport);
    this.#reports = new Map(reports.sort((a, b) => (a.id < b.id ? -1 : 1)).map((report) => [report.id, report]));
    const now = this.#now();
    const away = now - this.#lookedAt > GAP_TICKS * tickMs || control.runId !== this.#serverId;
    if (away) this.#blindUntil = now + ttlMs;
    this.#lookedAt = now;
    this.#serverId = control.runId;
  }
}

/** So many ticks without a look are a gap. */
const GAP_TICKS = 4;

/** What all listed workers say; those that are gone are taken off the list. */
const LOOK: Script = {
  name: "look-at-workers",
  lua: `
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local report = redis.call('GET', ARGV[1] .. id)
  if report then found[#found + 1] = report else redis.call('SREM', KEYS[1], id) end
end
return found
`,
};
