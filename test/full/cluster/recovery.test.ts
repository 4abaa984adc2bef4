import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkFolder } from "../../support/cluster/small-run.ts";
import { smallData, smallRun } from "../../support/cluster/small-run.ts";
import { HANGS_MS, TestCluster } from "../../support/cluster/test-cluster.ts";

const missing = redisServerMissing();

describe.skipIf(missing)(`with the settings that users have${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder: WorkFolder;
  let cluster: TestCluster;
  beforeAll(async () => {
    folder = await smallData();
    cluster = await TestCluster.start({ folder: folder.path, workers: 2, timing: {} });
  });
  afterAll(async () => {
    await cluster?.close();
    folder?.close();
  });

  test("a run goes on a few seconds after a worker's death", async () => {
    const config = smallRun({ training: { epochs: 150 } });
    const job = await cluster.submit({ config, out: folder.run("recovery"), workers: { min: 2, max: 2 } });
    const times: { killed?: number; noticed?: number; goesOn?: number } = {};
    let stepAfter: number | undefined; // the first that is told after the change may be from before
    await cluster.follow(job, (event) => {
      if (event.event === "progress" && event.step >= 40 && times.killed === undefined) {
        [...cluster.workers.values()][0]?.signal("SIGKILL");
        times.killed = performance.now();
      } else if (event.event === "generation") times.noticed ??= performance.now();
      else if (event.event === "progress" && times.noticed !== undefined) {
        if (stepAfter !== undefined && event.step > stepAfter) times.goesOn ??= performance.now();
        stepAfter ??= event.step;
      }
    });
    const { killed = 0, noticed = 0, goesOn = 0 } = times;
    const [noticedMs, recoveredMs] = [noticed - killed, goesOn - killed];
    console.log(
      `worker's death: noticed after ${noticedMs.toFixed(0)} ms, trains on after ${recoveredMs.toFixed(0)} ms`,
    );
    expect(recoveredMs).toBeGreaterThan(0);
    expect(recoveredMs).toBeLessThan(HANGS_MS); // the bar of 10 s is the benchmark's, on a quiet machine
  });
});
