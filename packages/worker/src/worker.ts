import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@gmc/core";
import { silentLogger, Wake } from "@gmc/core";
import { openTraining } from "@gmc/experiment";
import type { WorkerAssignment, WorkerReport } from "@gmc/protocol";
import { clusterKeys } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { openServer } from "@gmc/redis";
import { beat, claimId, signOff } from "./beat.ts";
import type { WorkerFacts } from "./describe-worker.ts";
import { describeWorker } from "./describe-worker.ts";
import { RunTask } from "./run-task.ts";
import type { OpenTraining, RunningWorker, WorkerHealth, WorkerOptions, WorkerTiming } from "./run-worker.ts";

const DEFAULTS: WorkerTiming = { ttlMs: 3000, beatMs: 500, leaveMs: 15_000 };
/** When something has changed, the next assignment is near: so many heartbeats come faster. */
const EAGER_BEATS = 20;
const EAGER_BEAT_MS = 50;
/** A worker whose assignment is gone (Redis has lost it, and no coordinator comes) gives its run up after so long. */
const FORGOTTEN_MS = 30_000;
/** How long the end waits for a Redis that is away. */
const SIGN_OFF_MS = 1000;
/** A worker that should be gone and still waits for Redis gives up after so long. */
const GIVE_UP_MS = 3000;

/** One worker: beats, and does what it is assigned, one run at a time. */
export class Worker implements RunningWorker {
  readonly id: string;
  readonly ready: Promise<void>;
  readonly done: Promise<void>;
  readonly #options: WorkerOptions;
  readonly #timing: WorkerTiming;
  readonly #logger: Logger;
  readonly #wake = new Wake();
  #task: RunTask | undefined;
  /** True while a task is being closed: the next one waits for it. */
  #changing = false;
  #leaveAt: number | undefined;
  #assignedAt = performance.now();
  #beatAt = Number.NEGATIVE_INFINITY;
  #facts: WorkerFacts | undefined;
  #eagerBeats = 0;
  /** Fires a while after `close`: what still waits then waits for a Redis that is away. */
  readonly #overdue = new AbortController();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#timing = { ...DEFAULTS, ...options.timing };
    this.#logger = options.logger ?? silentLogger;
    this.id = options.id ?? `${slug(hostname())}-${process.pid}-${randomBytes(3).toString("hex")}`;
    clusterKeys.worker(this.id); // throws for an id that cannot be part of a key
    const opened = this.#open();
    this.ready = opened.then(() => {});
    this.done = opened.then(({ control, facts }) => this.#toEnd(control, facts));
    for (const promise of [this.ready, this.done]) promise.catch(() => {}); // whoever awaits it sees it
  }

  get health(): WorkerHealth {
    const report = this.#facts && this.#report(this.#facts);
    const sinceBeatMs = performance.now() - this.#beatAt;
    return { sinceBeatMs, isHealthy: sinceBeatMs < this.#timing.ttlMs, ...(report && { report }) };
  }

  async close(): Promise<void> {
    if (this.#leaveAt === undefined) {
      // With a run, as long as a hand-over may take; without one there is nothing to wait for.
      const graceMs = (this.#task ? this.#timing.leaveMs : 0) + GIVE_UP_MS;
      this.#leaveAt = performance.now() + this.#timing.leaveMs;
      setTimeout(() => this.#overdue.abort(), graceMs).unref();
    }
    this.#stir();
    await this.done.catch(() => {});
  }

  /** Connects and registers. */
  async #open(): Promise<{ readonly control: RedisConnection; readonly facts: WorkerFacts }> {
    const { threads, describe = describeWorker } = this.#options;
    const facts = await describe(this.id, threads);
    const control = await openServer(this.#options.redis, "control", { name: "gmc-worker", logger: this.#logger });
    try {
      if (this.#options.id !== undefined) await claimId(control, this.id, this.#timing.ttlMs);
      await beat(control, this.#report(facts), this.#timing.ttlMs);
      this.#facts = facts;
      this.#beatAt = performance.now();
      return { control, facts };
    } catch (error) {
      control.close();
      throw error;
    }
  }

  async #toEnd(control: RedisConnection, facts: WorkerFacts): Promise<void> {
    const { signal } = this.#overdue;
    const serving = this.#serve(control, facts);
    const late = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    await Promise.race([serving, late]);
    if (!signal.aborted) return;
    serving.catch(() => {}); // its connection is closed under it
    control.close();
  }

  async #serve(control: RedisConnection, facts: WorkerFacts): Promise<void> {
    try {
      while (!this.#hasLeft()) {
        this.#follow(await beat(control, this.#report(facts), this.#timing.ttlMs), control, facts);
        this.#beatAt = performance.now();
        this.#eagerBeats = Math.max(0, this.#eagerBeats - 1);
        await this.#wake.wait(this.#eagerBeats > 0 ? EAGER_BEAT_MS : this.#timing.beatMs);
      }
      await Promise.race([signOff(control, this.id), delay(SIGN_OFF_MS)]);
    } finally {
      await this.#task?.close();
      control.close();
    }
  }

  #follow(assignment: WorkerAssignment | null, control: RedisConnection, facts: WorkerFacts): void {
    if (this.#changing) return;
    const now = performance.now();
    if (assignment) this.#assignedAt = now;
    else if (this.#task && now - this.#assignedAt > FORGOTTEN_MS) this.#drop(this.#task);
    if (!assignment) return;
    const task = this.#task;
    if (task && task.run !== assignment.run) {
      this.#drop(task);
      return;
    }
    if (assignment.run === null || (!task && this.#leaveAt !== undefined)) return;
    this.#task ??= this.#begin(assignment, control, facts);
    this.#task.enter(assignment.generation);
  }

  #begin(
    { run, job }: Extract<WorkerAssignment, { run: string }>,
    control: RedisConnection,
    facts: WorkerFacts,
  ): RunTask {
    const { redis, threads, hook, store, open = openVerified } = this.#options;
    this.#logger.info("worker.run", { run });
    return new RunTask({
      run,
      job,
      worker: this.id,
      bits: facts.bits,
      control,
      redis,
      open,
      logger: this.#logger,
      onChange: () => this.#stir(),
      ...(threads !== undefined && { threads }),
      ...(hook && { hook }),
      ...(store && { store }),
    });
  }

  #drop(task: RunTask): void {
    this.#changing = true;
    const end = (): void => {
      this.#task = undefined;
      this.#changing = false;
      this.#stir();
    };
    task.close().then(end, (error: Error) => {
      this.#logger.warn("worker.close", { run: task.run, message: error.message });
      end();
    });
  }

  #hasLeft(): boolean {
    if (this.#leaveAt === undefined) return false;
    return (!this.#task && !this.#changing) || performance.now() > this.#leaveAt;
  }

  #report(facts: WorkerFacts): WorkerReport {
    const state = this.#leaveAt !== undefined ? "leaving" : this.#task ? "busy" : "idle";
    return { ...facts, state, ...(this.#task && { task: this.#task.report }) };
  }

  /** Beats now, and faster for a while. */
  #stir(): void {
    this.#eagerBeats = EAGER_BEATS;
    this.#wake.wake();
  }
}

const slug = (host: string): string =>
  host
    .replace(/[^A-Za-z0-9-]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, 60) || "worker";

/** Equal manifests over verified files are equal data: a worker that sees other bytes refuses the run, and names the file. */
const openVerified: OpenTraining = (config, logger, signal) => openTraining(config, logger, { verify: true, signal });
