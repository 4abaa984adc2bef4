import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, test } from "vitest";
import { ScheduleRuns } from "../support/cluster/schedule-runs.ts";

const missing = redisServerMissing();
/** GMC_SEEDS=1000-1200 runs others. */
const [from = 100, to = 199] = (process.env.GMC_SEEDS ?? "100-199").split("-").map(Number);
const SEEDS = Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe.skipIf(missing)(`schedules of faults${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let runs: ScheduleRuns;
  beforeAll(async () => {
    runs = await ScheduleRuns.open();
  });
  afterAll(() => runs?.close());

  test.each(SEEDS)("seed %d", (seed) => runs.expectSame(seed));
});
