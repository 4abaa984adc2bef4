import { UsageError } from "@gmc/core";
import { expect, test } from "vitest";
import type { JobEvent, JobNews, JobReport } from "./job-events.ts";
import type { JobQueue } from "./open-queue.ts";
import { watchJob } from "./watch-job.ts";

const waiting = (reason: string): JobNews => ({ event: "waiting", reason });
const report = (first: number, news: readonly JobNews[], step?: number): JobReport => ({
  first,
  news,
  members: [],
  ...(step !== undefined && {
    progress: { step, steps: 9, epoch: 1, epochs: 1, loss: 1, batchSize: 1, samplesPerSecond: 1 },
  }),
});

/** Watches a job that is found like this, look by look; the last look repeats. */
async function watched(looks: readonly (object | undefined)[], signal?: AbortSignal): Promise<JobEvent[]> {
  let look = 0;
  const getJob = async () => looks[Math.min(look++, looks.length - 1)];
  const queue = {
    train: { getJob },
    control: { address: { at: { host: "h", port: 1 }, db: 0 } },
  } as unknown as JobQueue;
  const events: JobEvent[] = [];
  for await (const event of watchJob(queue, "j", { pollMs: 1, ...(signal && { signal }) })) events.push(event);
  return events;
}
const record = { status: "finished" };

test("news come once, in order, and the end is last", async () => {
  const events = await watched([
    { progress: 0 }, // nobody has taken it yet
    { progress: report(0, [waiting("a")]) },
    { progress: report(0, [waiting("a"), waiting("b")], 3) },
    { progress: report(0, [waiting("a"), waiting("b")], 3) },
    { progress: report(0, [waiting("a"), waiting("b"), waiting("c")], 5), finishedOn: 1, returnvalue: record },
  ]);
  expect(
    events.map((event) => ("reason" in event ? event.reason : "step" in event ? event.step : event.event)),
  ).toEqual(["a", "b", 3, "c", 5, "completed"]);
  expect(events.at(-1)).toEqual({ event: "completed", record });
});

test("news that are not kept any more are left out, and none comes twice", async () => {
  const events = await watched([
    { progress: report(0, [waiting("0"), waiting("1")]) },
    { progress: report(5, [waiting("5"), waiting("6")]) },
    { progress: report(6, [waiting("6"), waiting("7")]), finishedOn: 1, returnvalue: record },
  ]);
  expect(events.flatMap((event) => ("reason" in event ? [event.reason] : []))).toEqual(["0", "1", "5", "6", "7"]);
});

test("a failure has the error that the coordinator left, or else the queue's words", async () => {
  const error = { code: "ERR_NON_FINITE", message: "NaN", details: {} };
  const failed = { finishedOn: 1, failedReason: "NaN" };
  expect(await watched([{ ...failed, progress: { ...report(0, []), error } }])).toEqual([{ event: "failed", error }]);
  expect(await watched([{ ...failed, progress: 0 }])).toMatchObject([{ event: "failed", error: { message: "NaN" } }]);
});

test("a job that is not there is a mistake; one that has vanished was lost with the server's data", async () => {
  await expect(watched([undefined])).rejects.toThrow(UsageError);
  const events = await watched([{ progress: report(0, [waiting("a")]) }, undefined]);
  expect(events.at(-1)).toMatchObject({ event: "failed", error: { code: "ERR_ENVIRONMENT" } });
  expect(JSON.stringify(events.at(-1))).toContain("--resume");
});

test("watching ends when its signal fires", async () => {
  expect(await watched([{ progress: 0 }], AbortSignal.timeout(30))).toEqual([]);
});
