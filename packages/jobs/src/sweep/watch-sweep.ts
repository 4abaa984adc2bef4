import { setTimeout as delay } from "node:timers/promises";
import type { EncodedError } from "@gmc/core";
import { UsageError } from "@gmc/core";
import type { MemberProgress } from "@gmc/protocol";
import type { JobQueue } from "../open-queue.ts";
import { reportOf } from "../report-of.ts";
import type { WatchOptions } from "../watch-job.ts";
import { outcomeOf } from "./gather-sweep.ts";
import { childId } from "./sweep-job.ts";
import type { CellOutcome, SweepResult } from "./sweep-result.ts";

/** What happens to a sweep; `completed` or `failed` is the last. */
export type SweepEvent =
  | { readonly event: "sweep"; readonly name: string; readonly out: string; readonly runs: number }
  /** No run is under way; `reason` is that of the first one that waits. */
  | { readonly event: "waiting"; readonly reason: string }
  /** Training of a run has begun, or goes on with others. */
  | { readonly event: "run"; readonly run: string; readonly job: string; readonly members: readonly string[] }
  | ({ readonly event: "run-progress"; readonly run: string; readonly job: string } & MemberProgress)
  /** A run is over; `done` of `runs` are. */
  | {
      readonly event: "run-ended";
      readonly run: string;
      readonly job: string;
      readonly outcome: CellOutcome;
      readonly done: number;
      readonly runs: number;
    }
  | { readonly event: "completed"; readonly result: SweepResult }
  | { readonly event: "failed"; readonly error: EncodedError };

/** What was told of a run already. */
interface Told {
  members: string;
  step: number;
  ended: boolean;
}

/**
 * What happens to a sweep, to its end. Redis may be away in between.
 *
 * @throws {UsageError} when there is no such sweep
 */
export async function* watchSweep(
  queue: JobQueue,
  id: string,
  { signal, pollMs = 400 }: WatchOptions = {},
): AsyncGenerator<SweepEvent> {
  const parent = await queue.sweep.getJob(id);
  if (!parent) throw new UsageError(`There is no sweep ${id} in the queue.`, { job: id });
  const { name, out, cells } = parent.data;
  yield { event: "sweep", name, out, runs: cells.length };
  let waits = "";
  const told = cells.map((): Told => ({ members: "", step: -1, ended: false }));
  while (!signal?.aborted) {
    const now = await queue.sweep.getJob(id);
    for (const [index, cell] of cells.entries()) {
      const of = told[index];
      if (of && !of.ended) yield* newsOfRun(queue, childId(id, index), cell.name, of, told);
    }
    const reason = now?.finishedOn === undefined ? await reasonToWait(queue, id, told) : undefined;
    if (reason !== undefined && reason !== waits) yield { event: "waiting", reason };
    waits = reason ?? "";
    if (!now) {
      yield { event: "failed", error: { code: "ERR_CANCELLED", message: `Sweep ${id} was removed.`, details: {} } };
      return;
    }
    if (now.finishedOn !== undefined) {
      if (!now.failedReason) yield { event: "completed", result: now.returnvalue };
      else yield { event: "failed", error: { code: "ERR_UNKNOWN", message: now.failedReason, details: {} } };
      return;
    }
    await delay(pollMs, undefined, signal ? { signal } : {}).catch(() => {});
  }
}

/** Why nothing goes on: what the first run that is not over waits for; undefined where one is under way. */
async function reasonToWait(queue: JobQueue, id: string, told: readonly Told[]): Promise<string | undefined> {
  if (told.some(({ members, ended }) => members !== "" && !ended)) return undefined;
  const first = told.findIndex(({ ended }) => !ended);
  const child = first < 0 ? undefined : await queue.train.getJob(childId(id, first));
  const last = child && reportOf(child).news.at(-1);
  return last?.event === "waiting" ? last.reason : undefined;
}

async function* newsOfRun(
  queue: JobQueue,
  job: string,
  run: string,
  of: Told,
  all: readonly Told[],
): AsyncGenerator<SweepEvent> {
  const child = await queue.train.getJob(job);
  const { members, progress } = child ? reportOf(child) : { members: [], progress: undefined };
  const workers = members.map(({ worker }) => worker);
  if (workers.length > 0 && workers.join() !== of.members) {
    of.members = workers.join();
    yield { event: "run", run, job, members: workers };
  }
  if (progress && progress.step !== of.step) {
    of.step = progress.step;
    yield { event: "run-progress", run, job, ...progress };
  }
  const outcome = outcomeOf(child);
  if (!outcome) return;
  of.ended = true;
  yield { event: "run-ended", run, job, outcome, done: all.filter(({ ended }) => ended).length, runs: all.length };
}
