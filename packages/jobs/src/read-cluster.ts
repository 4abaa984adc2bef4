import type { MemberProgress, WorkerReport } from "@gmc/protocol";
import { clusterKeys } from "@gmc/protocol";
import type { Job } from "bullmq";
import type { JobMember } from "./job-events.ts";
import type { JobQueue } from "./open-queue.ts";
import { reportOf } from "./report-of.ts";
import type { TrainJobData } from "./train-job.ts";

/** A job that is not over. */
export interface ClusterRun {
  readonly job: string;
  readonly name: string;
  readonly state: "waiting" | "training";
  /** Why it waits. */
  readonly reason?: string;
  readonly members: readonly JobMember[];
  readonly generation?: number;
  readonly progress?: MemberProgress;
}

/** What a cluster is doing. */
export interface ClusterView {
  /** Who leads; null where no coordinator runs. */
  readonly coordinator: string | null;
  /** Those that are alive, by id. */
  readonly workers: readonly WorkerReport[];
  readonly runs: readonly ClusterRun[];
  readonly finished: number;
  readonly failed: number;
  /** Samples a second of all runs together. */
  readonly samplesPerSecond: number;
}

/** What a cluster is doing now. */
export async function readCluster(queue: JobQueue): Promise<ClusterView> {
  const { control, train } = queue;
  const [owner, workers, jobs, finished, failed] = await Promise.all([
    control.command(["HGET", clusterKeys.leader, "owner"]),
    readWorkers(queue),
    train.getJobs(["active", "waiting", "prioritized", "delayed"]),
    train.getCompletedCount(),
    train.getFailedCount(),
  ]);
  const runs = jobs.filter((job) => job !== undefined).map(runOf);
  const speeds = runs.map(({ state, progress }) => (state === "training" ? (progress?.samplesPerSecond ?? 0) : 0));
  const samplesPerSecond = speeds.reduce((sum, speed) => sum + speed, 0);
  return { coordinator: typeof owner === "string" ? owner : null, workers, runs, finished, failed, samplesPerSecond };
}

async function readWorkers({ control }: JobQueue): Promise<readonly WorkerReport[]> {
  const ids = (await control.command(["SMEMBERS", clusterKeys.workers])) as string[];
  if (ids.length === 0) return [];
  const texts = (await control.command(["MGET", ...ids.sort().map(clusterKeys.worker)])) as (string | null)[];
  return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as WorkerReport]));
}

function runOf(job: Job<TrainJobData>): ClusterRun {
  const { members, generation, progress, news } = reportOf(job);
  const last = news.findLast(({ event }) => event === "waiting" || event === "started" || event === "generation");
  return {
    job: job.id ?? "",
    name: job.data.name,
    ...(last === undefined || last.event === "waiting"
      ? { state: "waiting", reason: last?.reason ?? "in the queue" }
      : { state: "training" }),
    members,
    ...(generation !== undefined && { generation }),
    ...(progress && { progress }),
  };
}
