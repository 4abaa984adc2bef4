import type { RunRecord } from "@gmc/experiment";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkFolder } from "../../support/cluster/small-run.ts";
import { runAlone, smallData, smallRun } from "../../support/cluster/small-run.ts";
import { TestCluster } from "../../support/cluster/test-cluster.ts";
import { tensorflowMissing } from "../../support/tensorflow.ts";

const noRedis = redisServerMissing();
const config = smallRun({ engine: { kind: "tensorflow", threads: 1 } });

describe.skipIf(tensorflowMissing || noRedis)("a cluster on TensorFlow, one thread a worker", () => {
  let folder: WorkFolder;
  let cluster: TestCluster;
  let alone: RunRecord;
  beforeAll(async () => {
    folder = await smallData();
    cluster = await TestCluster.start({ folder: folder.path, workers: 2, separate: true });
    alone = await runAlone(folder, config, "alone");
  });
  afterAll(async () => {
    await cluster?.close();
    folder?.close();
  });

  test.each([1, 2])("%d of its workers end with the bits of one process", async (workers) => {
    const { record } = await cluster.train(config, folder.run(`${workers} workers`), workers);
    expect(record).toMatchObject({ status: "finished", workers, steps: 24 });
    expect(record.weightsSha256).toBe(alone.weightsSha256);
    expect(record.finalLoss).toBe(alone.finalLoss);
  });

  test("the run is another one than onnxruntime's, and as good", async () => {
    const other = await runAlone(folder, smallRun(), "onnxruntime");
    expect(other.weightsSha256).not.toBe(alone.weightsSha256);
    expect(Math.abs((other.finalLoss ?? 0) / (alone.finalLoss ?? 0) - 1)).toBeLessThan(1e-3);
  });

  test("a worker that is killed in the middle changes nothing", async () => {
    const job = await cluster.submit({ config, out: folder.run("killed"), workers: { min: 2, max: 2 } });
    let killed = false;
    const { record } = await cluster.follow(job, async ({ event }) => {
      if (killed || event !== "progress") return;
      killed = true;
      [...cluster.workers.values()].at(-1)?.signal("SIGKILL");
    });
    expect(killed).toBe(true);
    expect(record).toMatchObject({ status: "finished", weightsSha256: alone.weightsSha256, steps: 24 });
  });
});
