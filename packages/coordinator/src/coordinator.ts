import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@gmc/core";
import { silentLogger, Wake } from "@gmc/core";
import { clusterKeys } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { openServer } from "@gmc/redis";
import { HeldLease } from "./held-lease.ts";
import { JobTaker } from "./job-taker.ts";
import { Pool } from "./pool.ts";
import { Registry } from "./registry.ts";
import type { CoordinatorOptions, CoordinatorTiming, RunningCoordinator } from "./run-coordinator.ts";
import { SweepTaker } from "./sweep-taker.ts";

const DEFAULTS: CoordinatorTiming = { ttlMs: 3000, tickMs: 250, leaseMs: 5000 };
const DEFAULT_RUNS = 64;

/** Leads while it holds the leader's lease, and stands by otherwise. */
export class Coordinator implements RunningCoordinator {
  readonly ready: Promise<void>;
  readonly done: Promise<void>;
  readonly #options: CoordinatorOptions;
  readonly #timing: CoordinatorTiming;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  /** Random: another process, another owner. */
  readonly #owner = randomUUID();

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    this.#timing = { ...DEFAULTS, ...options.timing };
    this.#logger = options.logger ?? silentLogger;
    const servers = this.#connect();
    this.ready = servers.then(() => {});
    this.done = servers.then((opened) => this.#toEnd(opened));
    for (const promise of [this.ready, this.done]) promise.catch(() => {}); // whoever awaits it sees it
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.done.catch(() => {});
  }

  async #connect(): Promise<Servers> {
    const { redis, reduce = [] } = this.#options;
    const control = await openServer(redis, "control", { name: "gmc-coordinator", logger: this.#logger });
    const opened: { url: string; connection: RedisConnection }[] = [];
    try {
      for (const url of reduce) {
        opened.push({
          url,
          connection: await openServer(url, "reduce", { name: "gmc-coordinator", logger: this.#logger }),
        });
      }
    } catch (error) {
      for (const connection of [control, ...opened.map((one) => one.connection)]) connection.close();
      throw error;
    }
    return { control, reduce: opened };
  }

  /** A Redis that is away does not keep us for ever: what waits for it is given up a while after `close`. */
  async #toEnd(servers: Servers): Promise<void> {
    const { signal } = this.#closing;
    const serving = this.#serve(servers);
    const late = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => setTimeout(resolve, END_MS).unref(), { once: true });
    });
    await Promise.race([serving, late]).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    serving.catch(() => {}); // its connections are closed under it
    for (const connection of connectionsOf(servers)) connection.close();
  }

  async #serve(servers: Servers): Promise<void> {
    const { control } = servers;
    const lease = new HeldLease(control, clusterKeys.leader, this.#owner, this.#timing.leaseMs);
    try {
      while (!this.#closing.signal.aborted) {
        if (await lease.acquire()) await this.#lead(servers, lease);
        else await this.#pause(this.#timing.tickMs * 2);
      }
      await Promise.race([lease.release(), delay(RELEASE_MS)]); // a Redis that is away does not keep us
    } finally {
      for (const connection of connectionsOf(servers)) connection.close();
    }
  }

  /** Leads until the lease is lost or `close` is called. */
  async #lead(servers: Servers, lease: HeldLease): Promise<void> {
    const { ttlMs, tickMs, leaseMs } = this.#timing;
    this.#logger.info("coordinator.leads", { owner: this.#owner });
    const registry = new Registry({ control: servers.control, ttlMs, tickMs });
    const wake = new Wake();
    const pool = new Pool(() => wake.wake());
    await registry.look();
    const taker = new JobTaker({
      ...servers,
      registry,
      pool,
      owner: this.#owner,
      leaseMs,
      runs: this.#options.runs ?? DEFAULT_RUNS,
      logger: this.#logger,
    });
    const sweeps = new SweepTaker(servers.control, leaseMs, this.#logger);
    try {
      while (!this.#closing.signal.aborted && lease.lease && (await lease.renew())) {
        await registry.look();
        taker.tick(); // conductors decide, and wake us where that gives us something to do
        await pool.update(registry.reports, servers.control, lease.lease);
        await wake.wait(tickMs, this.#closing.signal);
      }
    } finally {
      await Promise.all([taker.close(), sweeps.close()]);
      this.#logger.info("coordinator.leads-no-more", { owner: this.#owner });
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#closing.signal }).catch(() => {});
  }
}

interface Servers {
  readonly control: RedisConnection;
  readonly reduce: readonly { readonly url: string; readonly connection: RedisConnection }[];
}

const connectionsOf = ({ control, reduce }: Servers): readonly RedisConnection[] => [
  control,
  ...reduce.map(({ connection }) => connection),
];

const RELEASE_MS = 1000;
/** An end in good order takes less; a container is killed after 10 s. */
const END_MS = 6500;
