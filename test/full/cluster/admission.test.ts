import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { synthesiseDigits } from "@gmc/data";
import type { RunRecord } from "@gmc/experiment";
import { loadRunConfig } from "@gmc/experiment";
import type { JobEvent } from "@gmc/jobs";
import { redisServerMissing } from "@gmc/testkit";
import { runWorker } from "@gmc/worker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkFolder } from "../../support/cluster/small-run.ts";
import { runAlone, smallData, smallRun } from "../../support/cluster/small-run.ts";
import { TestCluster, TIMING } from "../../support/cluster/test-cluster.ts";

const missing = redisServerMissing();

describe.skipIf(missing)(`a worker is refused${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder: WorkFolder;
  let cluster: TestCluster;
  let alone: RunRecord;
  const config = smallRun();
  beforeAll(async () => {
    folder = await smallData();
    for (const name of ["nothing", "other"]) mkdirSync(join(folder.path, name));
    await synthesiseDigits({ out: join(folder.path, "other/data"), train: 128, test: 8, seed: 2 });
    cluster = await TestCluster.start({ folder: folder.path, workers: 2 });
    alone = await runAlone(folder, config, "alone");
  });
  afterAll(async () => {
    await cluster?.close();
    folder?.close();
  });
  const refusals = (events: readonly JobEvent[]) =>
    events.flatMap((event) => (event.event === "refused" ? [event] : []));

  test("that cannot see the data, with its reason in the job's events, and the run ends without it", async () => {
    const blind = await cluster.addWorker({ cwd: join(folder.path, "nothing") });
    const job = { workers: { min: 2, max: 3 } };
    const { record, events } = await cluster.train(config, folder.run("blind"), 2, job);
    expect(refusals(events)).toEqual([
      expect.objectContaining({
        worker: blind.id,
        error: expect.objectContaining({ message: expect.stringContaining("data") }),
      }),
    ]);
    expect(record).toMatchObject({ workers: 2, weightsSha256: alone.weightsSha256 });
    await blind.close();
  });

  test("that sees other data, naming both sums", async () => {
    const other = await cluster.addWorker({ cwd: join(folder.path, "other") });
    const { record, events } = await cluster.train(config, folder.run("run-other"), 2, { workers: { min: 2, max: 3 } });
    expect(refusals(events)).toEqual([
      expect.objectContaining({
        worker: other.id,
        error: expect.objectContaining({
          code: "ERR_DATA",
          message: expect.stringMatching(/sha256 is [0-9a-f]{64}, the run's is [0-9a-f]{64}/),
        }),
      }),
    ]);
    expect(record.weightsSha256).toBe(alone.weightsSha256);
    await other.close();
  });

  test("whose software would change the bits, unless the run allows that, which its folder remembers", async () => {
    const newer = await cluster.addWorker({ bits: "; engine 99" });
    const { record, events } = await cluster.train(config, folder.run("newer"), 2, { workers: { min: 2, max: 3 } });
    expect(refusals(events)).toEqual([
      expect.objectContaining({
        worker: newer.id,
        error: expect.objectContaining({ message: expect.stringMatching(/other bits.*engine 99.*cluster.allowMixed/) }),
      }),
    ]);
    expect(record).toMatchObject({ workers: 2, weightsSha256: alone.weightsSha256 });
    const mixed = smallRun({ cluster: { allowMixed: true } });
    const allowed = await cluster.train(mixed, folder.run("mixed"), 3);
    expect(refusals(allowed.events)).toEqual([]);
    expect(allowed.record.workers).toBe(3);
    expect((await loadRunConfig(folder.run("mixed"))).cluster.allowMixed).toBe(true);
    await newer.close();
  });

  test("that has the id of one that is alive", async () => {
    const { pid } = cluster.workers.get("w1")?.child ?? {};
    const twin = runWorker({ redis: cluster.control.url, id: "w1", timing: TIMING });
    await expect(twin.ready).rejects.toThrow(new RegExp(`w1 is alive already \\(process ${pid} on .*--id`));
    await twin.close();
  });

  test("and when all are, the run fails with the reason; nothing is left of it", async () => {
    const nowhere = smallRun({ data: { path: "nowhere", threads: 0 } });
    const failing = cluster.train(nowhere, folder.run("nowhere"), 2);
    await expect(failing).rejects.toThrow(/nowhere/);
    const taken = cluster.train(config, folder.run("newer"), 2);
    await expect(taken).rejects.toMatchObject({
      error: { code: "ERR_USAGE", message: expect.stringContaining("already holds a run") },
    });
    expect(await cluster.strayKeys()).toEqual([]);
  });
});
