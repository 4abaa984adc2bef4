import type { RunConfigInput, RunRecord } from "@gmc/experiment";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkFolder } from "../../support/cluster/small-run.ts";
import { runAlone, smallData, smallRun } from "../../support/cluster/small-run.ts";
import { TestCluster } from "../../support/cluster/test-cluster.ts";

const missing = redisServerMissing();

/** Batch norm and dropout on, with a validation after every epoch. */
const RUNS: Readonly<Record<string, Partial<RunConfigInput>>> = {
  "4 shards, fp32": {},
  "4 shards, bf16": { cluster: { wire: "bf16" } },
  "3 shards, fp32, small chunks": { training: { shards: 3 }, cluster: { chunkKiB: 16 } },
};

describe.skipIf(missing)(`weights of a cluster${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder: WorkFolder;
  let cluster: TestCluster;
  const alone = new Map<string, RunRecord>();
  beforeAll(async () => {
    folder = await smallData();
    cluster = await TestCluster.start({ folder: folder.path, workers: 4, separate: true });
    for (const name of Object.keys(RUNS))
      alone.set(name, await runAlone(folder, smallRun(RUNS[name]), `alone ${name}`));
  });
  afterAll(async () => {
    await cluster?.close();
    folder?.close();
  });

  test.each([
    [1, "4 shards, fp32"],
    [2, "4 shards, fp32"],
    [3, "4 shards, fp32"],
    [4, "4 shards, fp32"],
    [1, "4 shards, bf16"],
    [2, "4 shards, bf16"],
    [3, "4 shards, bf16"],
    [4, "4 shards, bf16"],
    [2, "3 shards, fp32, small chunks"],
  ])("%d workers end with the bits of one process: %s", async (workers, name) => {
    const { record, events } = await cluster.train(smallRun(RUNS[name]), folder.run(`${workers} ${name}`), workers);
    const expected = alone.get(name);
    expect(record).toMatchObject({ status: "finished", workers, generations: 1, steps: 24 });
    expect(record.weightsSha256).toBe(expected?.weightsSha256);
    expect(record.finalLoss).toBe(expected?.finalLoss);
    expect(events.filter(({ event }) => event === "epoch")).toHaveLength(6);
    expect(await cluster.strayKeys()).toEqual([]);
  });

  test("fp32 and bf16 are different runs", () => {
    expect(new Set([...alone.values()].map(({ weightsSha256 }) => weightsSha256)).size).toBe(3);
  });
});
