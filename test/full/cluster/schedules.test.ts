import { setTimeout as delay } from "node:timers/promises";
import { integerAt, randomKey } from "@gmc/core";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ScheduleRuns } from "../../support/cluster/schedule-runs.ts";
import { runAlone, smallRun } from "../../support/cluster/small-run.ts";

const missing = redisServerMissing();
/** A sample; test/soak has many. */
const SEEDS = [1, 3];

describe.skipIf(missing)(`a schedule of faults${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let runs: ScheduleRuns;
  beforeAll(async () => {
    runs = await ScheduleRuns.open();
  });
  afterAll(() => runs?.close());

  test.each(SEEDS)("of seed %d does not change the bits, and leaves nothing behind", (seed) => runs.expectSame(seed));

  test("of kills at random moments does not change the bits of the paper's model", async () => {
    const { folder, cluster } = runs;
    const { model: _, ...rest } = smallRun();
    const config = smallRun({ ...rest, model: {}, training: { ...rest.training, batchSize: 32, epochs: 4 } });
    const expected = await runAlone(folder, config, "alone-paper");
    for (const seed of [1, 2]) {
      await cluster.haveWorkers(2);
      const victim = [...cluster.workers.values()][seed % 2];
      const job = await cluster.submit({ config, out: folder.run(`paper-${seed}`), workers: { min: 2, max: 2 } });
      let killed: Promise<unknown> | undefined;
      const course = await cluster.follow(job, (event) => {
        if (event.event !== "started") return;
        const moment = integerAt(randomKey(seed, "moment"), 0, 1500);
        killed ??= delay(moment).then(() => victim?.signal("SIGKILL"));
      });
      await killed;
      await victim?.ended;
      expect(course.record.weightsSha256).toBe(expected.weightsSha256);
      expect(await cluster.strayKeys()).toEqual([]);
    }
  });
});
