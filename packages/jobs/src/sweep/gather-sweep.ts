import type { EncodedError } from "@gmc/core";
import type { Job } from "bullmq";
import type { JobQueue } from "../open-queue.ts";
import { reportOf } from "../report-of.ts";
import type { TrainJobData, TrainJobResult } from "../train-job.ts";
import type { SweepJobData } from "./sweep-job.ts";
import { childId } from "./sweep-job.ts";
import type { CellOutcome, SweepResult } from "./sweep-result.ts";
import { aggregateSweep } from "./sweep-result.ts";

/** A child of a sweep. */
type Child = Job<TrainJobData, TrainJobResult, "train">;

/**
 * What a sweep's parent ends with, when all its children are over: read from them, so that it can be done again.
 *
 * @param values  results of the children that completed, by their keys in the queue
 */
export async function gatherSweep(
  queue: JobQueue,
  id: string,
  data: SweepJobData,
  values: Readonly<Record<string, TrainJobResult>>,
): Promise<SweepResult> {
  const outcomes = new Map<string, CellOutcome>();
  for (const [index, { name }] of data.cells.entries()) {
    const child = childId(id, index);
    const value = values[Object.keys(values).find((key) => key.endsWith(`:${child}`)) ?? ""];
    outcomes.set(name, value ? outcomeOfResult(value) : failed(errorOf(await queue.train.getJob(child))));
  }
  return aggregateSweep(data, outcomes);
}

/** How a cell ended, from its job; undefined while it is not over. */
export function outcomeOf(child: Child | undefined): CellOutcome | undefined {
  if (!child) return failed(errorOf(child));
  if (child.finishedOn === undefined) return undefined;
  return child.failedReason ? failed(errorOf(child)) : outcomeOfResult(child.returnvalue);
}

function outcomeOfResult({ evaluation, alignment, ...record }: TrainJobResult): CellOutcome {
  if (record.status === "stopped") return failed({ ...CANCELLED, details: { run: record.run } });
  return { status: "finished", record, ...(evaluation && { evaluation }), ...(alignment && { alignment }) };
}

const failed = (error: EncodedError): CellOutcome => ({ status: "failed", error });

function errorOf(child: Child | undefined): EncodedError {
  if (!child) return CANCELLED;
  return (
    reportOf(child).error ?? { code: "ERR_UNKNOWN", message: child.failedReason || "It has no result.", details: {} }
  );
}

const CANCELLED: EncodedError = { code: "ERR_CANCELLED", message: "It was cancelled.", details: {} };
