import type { Logger } from "@gmc/core";
import { CancelledError } from "@gmc/core";
import type { JobNews, JobQueue, JobReport, TrainJobData, TrainJobResult, TrainQueueJob } from "@gmc/jobs";
import { queueOver, reportOf } from "@gmc/jobs";
import { endsTheRun, jobNames, runKeys } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { BoundedLog } from "@gmc/redis";
import { DelayedError, UnrecoverableError, WaitingError, Worker } from "bullmq";
import { conductRun, LostRunError } from "./conduct-run.ts";
import { HeldLease } from "./held-lease.ts";
import { JobReporter } from "./job-reporter.ts";
import type { Pool } from "./pool.ts";
import type { Registry } from "./registry.ts";
import { RunFailedError } from "./run-failed-error.ts";

export interface JobTakerOptions {
  readonly control: RedisConnection;
  readonly reduce: readonly { readonly url: string; readonly connection: RedisConnection }[];
  readonly registry: Registry;
  readonly pool: Pool;
  readonly owner: string;
  readonly leaseMs: number;
  readonly runs: number;
  readonly logger: Logger;
}

/** Takes jobs from the queue and has each conducted, one conductor a run, for as long as this coordinator leads. */
export class JobTaker {
  readonly #options: JobTakerOptions;
  readonly #queue: JobQueue;
  readonly #worker: Worker<TrainJobData, TrainJobResult, "train">;
  readonly #closing = new AbortController();
  readonly #conducted = new Map<string, Conducted>();
  readonly #waiting: (() => void)[] = [];

  constructor(options: JobTakerOptions) {
    const { control, leaseMs, runs, logger } = options;
    this.#options = options;
    this.#queue = queueOver(control, logger);
    this.#worker = new Worker<TrainJobData, TrainJobResult, "train">(
      jobNames.train,
      (job, token) => this.#process(job, token),
      {
        connection: control.client,
        prefix: jobNames.prefix,
        concurrency: runs,
        // A coordinator that dies is followed within two of these; a run is never conducted twice, by its own lease.
        lockDuration: leaseMs,
        stalledInterval: leaseMs / 2,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
      },
    );
    this.#worker.on("error", (error) => logger.warn("queue.error", { message: error.message }));
  }

  /** There was a look at the workers: conductors decide. */
  tick(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /** Gives the jobs back to the queue; their runs go on. */
  async close(): Promise<void> {
    this.#closing.abort(new CancelledError("The coordinator hands over."));
    const closed = this.#worker.close().catch(() => {});
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
    await Promise.race([this.#queue.close(), new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
  }

  async #process(job: TrainQueueJob, token: string | undefined): Promise<TrainJobResult> {
    const run = job.id ?? "";
    const held = this.#conducted.has(run) ? undefined : await this.#heldBack(job, token);
    if (held) throw held;
    const conducted = this.#conducted.get(run) ?? this.#begin(run, job);
    conducted.token = token;
    const [end] = await Promise.allSettled([conducted.end]);
    // Its lock had run out, so that the queue has given it to us once more: the last to get it tells how it ended.
    if (conducted.token !== token) throw new WaitingError();
    this.#conducted.delete(run);
    if (end.status === "rejected") throw await this.#settled(job, token, end.reason);
    if (end.value.status === "stopped" && (await this.#dataOf(run))?.request !== "cancel") {
      throw await this.#setAside(job, token);
    }
    return end.value;
  }

  #begin(run: string, job: TrainQueueJob): Conducted {
    const conducted = { end: this.#conduct(run, job), token: undefined };
    this.#conducted.set(run, conducted);
    return conducted;
  }

  async #conduct(run: string, given: TrainQueueJob): Promise<TrainJobResult> {
    const { control, owner, leaseMs } = this.#options;
    const { signal } = this.#closing;
    const lease = new HeldLease(control, runKeys(run).lease("coordinator"), owner, leaseMs);
    while (!(await lease.acquire())) await this.#nextTick(signal);
    // Read again: who conducted it before us may have told its end since the queue gave us the job.
    const job = (await this.#queue.train.getJob(run)) ?? given;
    return conductRun(
      { ...this.#options, tick: (signal) => this.#nextTick(signal), now: () => performance.now() },
      {
        run,
        data: job.data,
        lease,
        reporter: this.#reporterOf(job),
        read: async () => {
          const now = await this.#queue.train.getJob(run);
          if (now?.finishedOn !== undefined) throw new LostRunError();
          return now?.data;
        },
      },
      signal,
    );
  }

  /** What the queue is told: the run has failed, or somebody else goes on with it. */
  async #settled(job: TrainQueueJob, token: string | undefined, error: unknown): Promise<Error> {
    if (error instanceof RunFailedError) {
      const { code } = error.error;
      if (code === "ERR_CANCELLED" && (await this.#dataOf(job.id ?? ""))?.request === "pause") {
        return await this.#setAside(job, token);
      }
      const mayDoBetter = code !== "ERR_CANCELLED" && !endsTheRun(error.error);
      if (!mayDoBetter || job.attemptsMade + 1 >= (job.opts.attempts ?? 1))
        return new UnrecoverableError(error.message);
      await job.updateData({ ...((await this.#dataOf(job.id ?? "")) ?? job.data), resume: "if-there" });
      return new Error(error.message); // the queue tries it again
    }
    await job.moveToWait(token).catch(() => {}); // the lock may be somebody else's already
    return new WaitingError();
  }

  /** Not now: it is paused, or what it comes after is not over. */
  async #heldBack(job: TrainQueueJob, token: string | undefined): Promise<Error | undefined> {
    const { request, paused, after } = (await this.#dataOf(job.id ?? "")) ?? job.data;
    if (paused) return await this.#setAside(job, token); // our lock ran out before it had been set aside
    if (request === "pause") {
      if (await this.#mayBeUnderWay(job)) return undefined; // its workers have to be stopped first
      return await this.#setAside(job, token);
    }
    if (after === undefined) return undefined;
    const before = await this.#queue.train.getJob(after);
    if (before && before.finishedOn === undefined) {
      const reporter = this.#reporterOf(job);
      reporter.tell({ event: "waiting", reason: `comes after ${after}` });
      await reporter.flush(true);
      await job.moveToDelayed(Date.now() + AFTER_MS, token);
      return new DelayedError();
    }
    if (before && !before.failedReason && before.returnvalue?.status !== "stopped") return undefined;
    const cancelled = before && (!before.failedReason || before.data.request === "cancel");
    const how = !before ? "is gone from the queue" : cancelled ? "was cancelled" : "failed";
    const error = {
      code: "ERR_CANCELLED",
      message: `It was to come after ${after}, which ${how}.`,
      details: { after },
    };
    const reporter = this.#reporterOf(job);
    reporter.setError(error);
    await reporter.flush(true);
    return new UnrecoverableError(error.message);
  }

  /** Another coordinator may have conducted it before. */
  async #mayBeUnderWay({ id = "" }: TrainQueueJob): Promise<boolean> {
    return (await this.#options.control.command(["EXISTS", runKeys(id).generation])) !== 0;
  }

  /** Its workers are free: it waits to be resumed, or, when somebody has resumed it already, to be taken again. */
  async #setAside(job: TrainQueueJob, token: string | undefined): Promise<Error> {
    const { request, ...data } = (await this.#dataOf(job.id ?? "")) ?? job.data;
    const paused = request === "pause" || data.paused === true;
    await job.updateData({ ...data, paused, resume: "if-there" });
    const reporter = this.#reporterOf((await this.#queue.train.getJob(job.id ?? "")) ?? job);
    reporter.forgetError();
    reporter.tell({ event: "waiting", reason: paused ? "paused" : "resumed" });
    await reporter.flush(true);
    if (!paused) {
      await job.moveToWait(token);
      return new WaitingError();
    }
    await job.moveToDelayed(Date.now() + PAUSE_MS, token);
    if (!(await this.#dataOf(job.id ?? ""))?.paused) await job.promote(); // resumed in this very moment
    return new DelayedError();
  }

  #reporterOf(job: TrainQueueJob): JobReporter {
    const { control, logger } = this.#options;
    const run = job.id ?? "";
    const log = new BoundedLog(control, { owner: jobNames.job(run), list: jobNames.logs(run), most: LOG_LINES });
    const onNews = ({ event, ...fields }: JobNews): void => {
      const name = `run.${event}`;
      logger.info(name, { run, ...fields });
      log.write(JSON.stringify({ time: new Date().toISOString(), level: "info", event: name, run, ...fields }));
    };
    const write = (report: JobReport) => job.updateProgress(report);
    const reporter = new JobReporter(reportOf(job), write, undefined, undefined, onNews);
    reporter.goOn(job.attemptsMade);
    return reporter;
  }

  async #dataOf(run: string): Promise<TrainJobData | undefined> {
    return (await this.#queue.train.getJob(run))?.data;
  }

  #nextTick(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(signal.reason);
      if (signal.aborted) return stop();
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.push(() => {
        signal.removeEventListener("abort", stop);
        resolve();
      });
    });
  }
}

/** One conductor a run, however often its job comes to us. */
interface Conducted {
  readonly end: Promise<TrainJobResult>;
  /** The queue's, of the last time that it gave us the job. */
  token: string | undefined;
}

const CLOSE_MS = 5000;
/** Lines of log that are kept of a run. */
const LOG_LINES = 2000;
/** Between two looks at the job that another one comes after. */
const AFTER_MS = 1000;
/** Longer than anybody pauses a run, and not more than the queue can count. */
const PAUSE_MS = 5 * 365 * 86_400_000;
