import type { JobReport } from "@gmc/jobs";
import type { MemberProgress } from "@gmc/protocol";
import { expect, test } from "vitest";
import { JobReporter } from "./job-reporter.ts";

const EMPTY: JobReport = { first: 0, news: [], members: [] };
const progress = (step: number, ...epochs: readonly number[]): MemberProgress => ({
  step,
  steps: 100,
  epoch: 1,
  epochs: 9,
  loss: 1,
  batchSize: 8,
  samplesPerSecond: 5,
  closed: epochs.map((epoch) => ({ epoch, loss: 1 / epoch })),
});
function reporterOf(report = EMPTY) {
  const written: JobReport[] = [];
  const clock = { now: 1000 };
  const write = async (given: JobReport) => void written.push(given);
  return { reporter: new JobReporter(report, write, 200, () => clock.now), written, clock };
}

test("what has changed is written, five times a second at most, and at once where that is asked", async () => {
  const { reporter, written, clock } = reporterOf();
  await reporter.flush();
  expect(written).toEqual([]);
  reporter.tell({ event: "waiting", reason: "a" });
  await reporter.flush();
  reporter.tell({ event: "waiting", reason: "b" });
  await reporter.flush();
  expect(written).toHaveLength(1);
  clock.now += 200;
  await reporter.flush();
  await reporter.flush(true); // nothing new
  reporter.tell({ event: "waiting", reason: "c" });
  await reporter.flush(true);
  expect(written.map(({ news }) => news.length)).toEqual([1, 2, 3]);
});

test("the same news twice in a row is told once, and only the latest are kept, with their numbers", async () => {
  const { reporter } = reporterOf();
  reporter.tell({ event: "waiting", reason: "x" });
  reporter.tell({ event: "waiting", reason: "x" });
  expect(reporter.report.news).toHaveLength(1);
  for (let i = 0; i < 150; i++) reporter.tell({ event: "waiting", reason: `${i}` });
  expect(reporter.report.first).toBe(51);
  expect(reporter.report.news).toHaveLength(100);
});

test("every closed epoch becomes news once, also when several close between two heartbeats or a coordinator changes", () => {
  const { reporter } = reporterOf();
  reporter.setProgress(progress(10, 1));
  reporter.setProgress(progress(30, 1, 2, 3));
  reporter.setProgress(progress(30, 1, 2, 3));
  const epochs = (report: JobReport) => report.news.flatMap((news) => (news.event === "epoch" ? [news.epoch] : []));
  expect(epochs(reporter.report)).toEqual([1, 2, 3]);
  const { reporter: next } = reporterOf(reporter.report);
  next.setProgress(progress(40, 2, 3, 4));
  expect(epochs(next.report)).toEqual([1, 2, 3, 4]);
});

test("what an attempt failed with stays told while it goes on, and is forgotten when another one begins", () => {
  const { reporter } = reporterOf();
  reporter.goOn(0);
  reporter.setError({ code: "ERR_USAGE", message: "no", details: {} });
  const { reporter: again } = reporterOf(reporter.report);
  again.goOn(0);
  expect(again.report.error).toMatchObject({ message: "no" });
  again.goOn(1);
  expect(again.report).not.toHaveProperty("error");
});

test("what could not be written is written the next time", async () => {
  const written: JobReport[] = [];
  let away = true;
  const reporter = new JobReporter(EMPTY, async (report) => {
    if (away) throw new Error("away");
    written.push(report);
  });
  reporter.setError({ code: "ERR_USAGE", message: "no", details: {} });
  await expect(reporter.flush(true)).rejects.toThrow("away");
  away = false;
  await reporter.flush(true);
  expect(written).toMatchObject([{ error: { message: "no" } }]);
});
