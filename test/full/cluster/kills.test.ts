import type { ProtocolPoint } from "@gmc/collectives";
import { PROTOCOL_POINTS } from "@gmc/collectives";
import type { RunRecord } from "@gmc/experiment";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkFolder } from "../../support/cluster/small-run.ts";
import { runAlone, smallData, smallRun } from "../../support/cluster/small-run.ts";
import type { Course } from "../../support/cluster/test-cluster.ts";
import { TestCluster } from "../../support/cluster/test-cluster.ts";

const missing = redisServerMissing();
/** Of a step; broadcasts are of the state that a generation begins with. */
const POINTS = PROTOCOL_POINTS.filter((point) => !point.startsWith("broadcast"));

describe.skipIf(missing)(`a run on a cluster${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder: WorkFolder;
  let cluster: TestCluster;
  let alone: RunRecord;
  const config = smallRun();
  let runs = 0;
  const out = () => folder.run(`run-${++runs}`);
  const expectSame = async ({ record }: Course) => {
    expect(record).toMatchObject({ status: "finished", steps: alone.steps, weightsSha256: alone.weightsSha256 });
    expect(record.finalLoss).toBe(alone.finalLoss);
    expect(await cluster.strayKeys()).toEqual([]);
  };
  /** Resolves when the job has news of this kind. */
  const submit = (min: number, max = min, more = {}) =>
    cluster.submit({ config, out: out(), workers: { min, max }, ...more });

  beforeAll(async () => {
    folder = await smallData();
    cluster = await TestCluster.start({ folder: folder.path, workers: 2, separate: true });
    alone = await runAlone(folder, config, "alone");
  });
  afterAll(async () => {
    await cluster?.close();
    folder?.close();
  });

  /** Where, on which rank, at which tags, after how many passes. */
  const CASES: readonly (readonly [ProtocolPoint, number, string, number])[] = [
    ...POINTS.map((point, i) => [point, i % 2, "^[0-9]", 2 + (i % 5)] as const),
    ["broadcast:before-write", 0, "^sync", 0],
    ["broadcast:after-write", 0, "^sync", 0],
    ["broadcast:done", 1, "^sync", 0],
  ];

  test.each(CASES)(
    "ends with the same bits after kill -9 at %s (rank %d, tag %s, pass %d)",
    async (point, rank, tag, passes) => {
      const workers = /sum-write/.test(point) ? 3 : 2; // two workers have no sums to give each other
      await cluster.haveWorkers(workers);
      const victim = [...cluster.workers.values()][rank];
      const killed = victim?.fault({ point, tag, passes, action: "kill" });
      let spare: Promise<unknown> | undefined;
      const course = await cluster.follow(await submit(workers), ({ event }) => {
        if (event === "started") spare ??= cluster.addWorker(); // not before: the run has to be the victim's
      });
      await killed;
      await victim?.ended;
      await expectSame(course);
      expect(course.record.generations).toBeGreaterThan(1);
      await spare;
    },
  );
});
