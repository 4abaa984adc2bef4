import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { RunConfig, RunRecord } from "@gmc/experiment";
import type { JobEvent, JobQueue, TrainJob } from "@gmc/jobs";
import { openQueue, submitTrain, watchJob } from "@gmc/jobs";
import type { RedisServer } from "@gmc/testkit";
import { startRedisServer } from "@gmc/testkit";
import type { Fault, FromProcess, ProcessOptions } from "./messages.ts";

/** A failure in CI: nothing of a small cluster takes so long. */
export const HANGS_MS = 60_000;
/** For `vi.waitFor`, of what a cluster comes to. */
export const WAIT = { timeout: HANGS_MS, interval: 50 } as const;
/** Short times, so that tests do not wait for the death of what they kill. */
export const TIMING = { ttlMs: 900, beatMs: 150, tickMs: 60, leaseMs: 1500, leaveMs: 5000 };

/** A worker or coordinator in a process of its own. */
export interface TestProcess {
  readonly id: string;
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  /** Arms a fault, and resolves when the process has come to it. */
  fault(fault: Fault): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** In good order. */
  close(): Promise<void>;
}

/** A job's course. */
export interface Course {
  readonly job: string;
  readonly events: readonly JobEvent[];
  readonly record: RunRecord;
}

/** Redis servers, a coordinator and workers, all of a test's own. */
export class TestCluster {
  readonly control: RedisServer;
  readonly reduce: RedisServer | undefined;
  readonly queue: JobQueue;
  readonly workers = new Map<string, TestProcess>();
  coordinator: TestProcess | undefined;
  readonly #options: TestClusterOptions;
  #named = 0;

  private constructor(
    options: TestClusterOptions,
    control: RedisServer,
    reduce: RedisServer | undefined,
    queue: JobQueue,
  ) {
    this.#options = options;
    this.control = control;
    this.reduce = reduce;
    this.queue = queue;
  }

  static async start(options: TestClusterOptions): Promise<TestCluster> {
    const control = await startRedisServer({ config: options.control ?? {} });
    const reduce = options.separate ? await startRedisServer() : undefined;
    const cluster = new TestCluster(options, control, reduce, await openQueue(control.url));
    await cluster.startCoordinator();
    await Promise.all(Array.from({ length: options.workers ?? 0 }, () => cluster.addWorker()));
    return cluster;
  }

  async startCoordinator(): Promise<TestProcess> {
    this.coordinator = await this.#spawn("coordinator", { role: "coordinator", ...this.#common() });
    return this.coordinator;
  }

  async addWorker({ cwd, bits }: { cwd?: string; bits?: string } = {}): Promise<TestProcess> {
    const id = `w${++this.#named}`;
    const options = { role: "worker" as const, id, ...this.#common(), ...(bits !== undefined && { bits }) };
    const worker = await this.#spawn(id, options, cwd ?? this.#options.folder);
    this.workers.set(id, worker);
    worker.ended.then(() => this.workers.delete(id));
    return worker;
  }

  /** Brings the cluster to so many workers. */
  async haveWorkers(count: number): Promise<void> {
    const more = Math.max(0, count - this.workers.size);
    await Promise.all(Array.from({ length: more }, () => this.addWorker()));
    const extra = [...this.workers.values()].slice(count);
    await Promise.all(extra.map((worker) => worker.close()));
  }

  submit(job: TrainJob): Promise<string> {
    return submitTrain(this.queue, job);
  }

  /** Follows a job to its end. @throws {Error} when it fails, or takes longer than a minute */
  async follow(job: string, onEvent: (event: JobEvent) => void | Promise<void> = () => {}): Promise<Course> {
    const events: JobEvent[] = [];
    const signal = AbortSignal.timeout(HANGS_MS);
    for await (const event of watchJob(this.queue, job, { signal, pollMs: 50 })) {
      events.push(event);
      await within(Promise.resolve(onEvent(event)), () => `What "${event.event}" started hangs.`);
      if (event.event === "completed") return { job, events, record: event.record };
      if (event.event === "failed")
        throw Object.assign(new Error(`The job failed: ${event.error.message}`), { error: event.error, events });
    }
    throw new Error(`The job hangs:\n${events.map((event) => JSON.stringify(event)).join("\n")}`);
  }

  async train(config: RunConfig, out: string, workers: number, more: Partial<TrainJob> = {}): Promise<Course> {
    return this.follow(await this.submit({ config, out, workers: { min: workers, max: workers }, ...more }));
  }

  /** Names of keys on both servers that are neither the queue's nor those of workers and coordinators. */
  async strayKeys(): Promise<readonly string[]> {
    const servers = [this.control, ...(this.reduce ? [this.reduce] : [])];
    const found = await Promise.all(
      servers.map(async ({ url }) => {
        const queue = url === this.control.url ? this.queue : await openQueue(url);
        const keys = (await queue.control.command(["KEYS", "*"])) as string[];
        if (queue !== this.queue) await queue.close();
        return keys;
      }),
    );
    return found
      .flat()
      .filter((key) => !/^gmc:(queue:|worker|leader)/.test(key))
      .sort();
  }

  async close(): Promise<void> {
    for (const { child } of [...this.workers.values(), ...(this.coordinator ? [this.coordinator] : [])]) {
      child.kill("SIGKILL");
    }
    await this.queue.close();
    await this.control.close();
    await this.reduce?.close();
  }

  #common(): Pick<ProcessOptions, "redis" | "reduce" | "timing" | "store" | "verbose"> {
    const { timing = TIMING, verbose = false, store } = this.#options;
    return {
      redis: this.control.url,
      timing,
      verbose,
      ...(store && { store }),
      ...(this.reduce && { reduce: [this.reduce.url] }),
    };
  }

  async #spawn(id: string, options: ProcessOptions, cwd = this.#options.folder): Promise<TestProcess> {
    const entry = fileURLToPath(new URL("cluster-process.ts", import.meta.url));
    const child = fork(entry, [JSON.stringify(options)], {
      execArgv: ["--import", import.meta.resolve("tsx"), "--conditions=@gmc/source"],
      cwd,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const heard = (wanted: (message: FromProcess) => boolean): Promise<void> =>
      new Promise((resolve) => {
        const listen = (message: FromProcess): void => {
          if (!wanted(message)) return;
          child.off("message", listen);
          resolve();
        };
        child.on("message", listen);
      });
    const failed = once(child, "exit").then(() => Promise.reject(new Error(`${id} ended while it started`)));
    failed.catch(() => {});
    const ready = heard((message) => message === "ready");
    await within(Promise.race([ready, failed]), () => `${id} did not start.`);
    return {
      id,
      child,
      ended,
      fault(fault) {
        const reached = heard((message) => typeof message === "object");
        child.send(fault);
        return within(reached, () => `${id} did not come to ${JSON.stringify(fault)}.`);
      },
      signal: (name) => void child.kill(name),
      close() {
        child.send("close");
        return within(ended, () => `${id} was asked to leave and did not.`);
      },
    };
  }
}

/** What settles in time. @throws {Error} with these words for what hangs */
async function within<T>(promise: Promise<T>, words: () => string): Promise<T> {
  const stop = new AbortController();
  promise.catch(() => {}); // where nobody waits for it
  const late = delay(HANGS_MS, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`${words()} Waited for ${HANGS_MS / 1000} s.`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => {});
    stop.abort();
  }
}

export interface TestClusterOptions {
  /** Where the processes work: "data" in a config is a folder there. */
  readonly folder: string;
  readonly workers?: number;
  /** A server of its own for the reduce role. */
  readonly separate?: boolean;
  /** Settings of the control server. */
  readonly control?: Readonly<Record<string, string>>;
  readonly timing?: ProcessOptions["timing"];
  readonly store?: ProcessOptions["store"];
  readonly verbose?: boolean;
}
