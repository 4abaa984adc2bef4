import type { EncodedError } from "@gmc/core";
import { UsageError } from "@gmc/core";
import type { MemberProgress } from "@gmc/protocol";
import { jobNames } from "@gmc/protocol";
import type { Job } from "bullmq";
import type { JobMember } from "./job-events.ts";
import type { JobQueue } from "./open-queue.ts";
import { reportOf } from "./report-of.ts";
import type { SweepJobData } from "./sweep/sweep-job.ts";
import { childId } from "./sweep/sweep-job.ts";
import type { SweepResult } from "./sweep/sweep-result.ts";
import type { TrainJobResult, TrainQueueJob } from "./train-job.ts";

/** `stopped`: cancelled, with a checkpoint where training had begun. */
export type JobState = "waiting" | "training" | "evaluating" | "paused" | "finished" | "stopped" | "failed";

/** A job as a list shows it. */
export interface JobSummary {
  readonly job: string;
  readonly kind: "run" | "sweep";
  readonly name: string;
  readonly state: JobState;
  /** The run's or the sweep's folder, as the workers see it. */
  readonly out: string;
  /** ISO 8601. */
  readonly submittedAt: string;
  readonly endedAt?: string;
  /** Why it waits. */
  readonly reason?: string;
  readonly members: readonly JobMember[];
  readonly progress?: MemberProgress;
  /** Seconds to the end of training, from the speed of the last steps. */
  readonly secondsLeft?: number;
  /** The sweep that it belongs to. */
  readonly sweep?: string;
  /** Of a sweep: runs, and those that are over. */
  readonly runs?: { readonly total: number; readonly ended: number; readonly failed: number };
  readonly error?: EncodedError;
}

/** A sweep as the queue has it. */
type SweepQueueJob = Job<SweepJobData, SweepResult, "sweep">;

const STATES = ["active", "waiting", "prioritized", "delayed", "waiting-children", "completed", "failed"] as const;

/** Jobs that the queue knows, the newest first; runs of sweeps only where they are asked for. */
export async function listJobs(queue: JobQueue, { all = false } = {}): Promise<readonly JobSummary[]> {
  const trains = (await queue.train.getJobs([...STATES])).filter((job) => job !== undefined);
  const sweeps = (await queue.sweep.getJobs([...STATES])).filter((job) => job !== undefined);
  const runs = trains.filter((job) => all || sweepOf(job) === undefined).map(summaryOfRun);
  const parents = await Promise.all(sweeps.map((job) => summaryOfSweep(queue, job)));
  return [...runs, ...parents].sort((a, b) => (a.submittedAt < b.submittedAt ? 1 : -1));
}

/** One job. @throws {UsageError} when there is none with this id */
export async function readJob(queue: JobQueue, id: string): Promise<JobSummary> {
  const run = await queue.train.getJob(id);
  if (run) return summaryOfRun(run);
  const sweep = await queue.sweep.getJob(id);
  if (sweep) return await summaryOfSweep(queue, sweep);
  throw new UsageError(`There is no job ${id} in the queue.`, { job: id });
}

/** What a job ended with. */
export type JobResult =
  | { readonly kind: "run"; readonly record: TrainJobResult }
  | { readonly kind: "sweep"; readonly out: string; readonly result: SweepResult };

/** @throws {UsageError} when there is no such job, or it is not over, or it failed */
export async function jobResult(queue: JobQueue, id: string): Promise<JobResult> {
  const { kind, state, out, error } = await readJob(queue, id);
  if (state === "failed")
    throw new UsageError(`${id} failed: ${error?.message ?? "no reason given"}`, { job: id, error });
  if (state !== "finished" && state !== "stopped") {
    throw new UsageError(`${id} is not over: it is ${state}. Follow it with gmc watch ${id}.`, { job: id, state });
  }
  if (kind === "run") {
    const record = (await queue.train.getJob(id))?.returnvalue;
    if (record) return { kind, record };
    throw new UsageError(`${id} was cancelled before it began; it has no results.`, { job: id });
  }
  return { kind, out, result: (await queue.sweep.getJob(id))?.returnvalue as SweepResult };
}

/**
 * The latest lines of log of a run, JSON each, oldest first: what coordinator and workers wrote of it.
 *
 * @throws {UsageError} when there is no such run
 */
export async function readLogs(queue: JobQueue, id: string, lines: number): Promise<readonly string[]> {
  const { kind } = await readJob(queue, id);
  if (kind === "sweep") throw new UsageError(`${id} is a sweep; its runs have logs: ${id}-0 and so on.`, { job: id });
  return (await queue.control.command(["LRANGE", jobNames.logs(id), -lines, -1])) as string[];
}

function summaryOfRun(job: TrainQueueJob): JobSummary {
  const { members, progress, error, news } = reportOf(job);
  const state = stateOfRun(job);
  const waiting = news.findLast(({ event }) => event === "waiting" || event === "started" || event === "generation");
  const reason = state === "waiting" ? (waiting?.event === "waiting" ? waiting.reason : "in the queue") : undefined;
  const sweep = sweepOf(job);
  const left =
    progress && progress.samplesPerSecond > 0 ? (progress.steps - progress.step) * progress.batchSize : undefined;
  const over = job.finishedOn !== undefined;
  return {
    ...common(job),
    kind: "run",
    state,
    ...(reason !== undefined && { reason }),
    members: state === "training" || state === "evaluating" ? members : [],
    ...(progress && { progress }),
    ...(state === "training" && progress && left !== undefined && { secondsLeft: left / progress.samplesPerSecond }),
    ...(sweep !== undefined && { sweep }),
    ...(over && job.failedReason && { error: error ?? unknownError(job.failedReason) }),
  };
}

async function summaryOfSweep(queue: JobQueue, job: SweepQueueJob): Promise<JobSummary> {
  const id = job.id ?? "";
  const total = job.data.cells.length;
  const children = await Promise.all(job.data.cells.map((_, index) => queue.train.getJob(childId(id, index))));
  const over = children.filter((child) => !child || child.finishedOn !== undefined);
  const failed = over.filter((child) => child?.failedReason);
  const finished = job.finishedOn !== undefined;
  const ended = finished ? total : over.length;
  const begun = children.some((child) => child?.processedOn !== undefined);
  return {
    ...common(job),
    kind: "sweep",
    state: finished ? (job.failedReason ? "failed" : "finished") : begun ? "training" : "waiting",
    members: [],
    runs: { total, ended, failed: finished ? (job.returnvalue?.failed.length ?? 0) : failed.length },
    ...(finished && job.failedReason && { error: unknownError(job.failedReason) }),
  };
}

function common(job: TrainQueueJob | SweepQueueJob) {
  const { name, out } = job.data;
  const at = (ms: number): string => new Date(ms).toISOString();
  return {
    job: job.id ?? "",
    name,
    out,
    submittedAt: at(job.timestamp),
    ...(job.finishedOn !== undefined && { endedAt: at(job.finishedOn) }),
  };
}

function stateOfRun(job: TrainQueueJob): JobState {
  if (job.finishedOn !== undefined) {
    if (job.failedReason) return job.data.request === "cancel" ? "stopped" : "failed"; // cancelled before it began
    return job.returnvalue?.status === "stopped" ? "stopped" : "finished";
  }
  if (job.data.paused) return "paused";
  const { news, progress } = reportOf(job);
  const last = news.findLast(({ event }) => event === "waiting" || event === "started" || event === "generation");
  if (last === undefined || last.event === "waiting") return "waiting";
  return progress?.evaluating ? "evaluating" : "training";
}

const sweepOf = (job: TrainQueueJob): string | undefined => job.parentKey?.split(":").at(-1);

const unknownError = (message: string): EncodedError => ({ code: "ERR_UNKNOWN", message, details: {} });
