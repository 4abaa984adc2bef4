import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { RunRecord } from "@gmc/experiment";
import { loadRun } from "@gmc/experiment";
import type { HttpServer } from "@gmc/storage";
import { readMetrics, serveRuns } from "@gmc/storage";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkFolder } from "../../support/cluster/small-run.ts";
import { runAlone, smallData, smallRun } from "../../support/cluster/small-run.ts";
import { TestCluster } from "../../support/cluster/test-cluster.ts";

const missing = redisServerMissing();
const TOKEN = "a-token-of-sixteen-or-more";

describe.skipIf(missing)(`workers that share no directory${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder: WorkFolder;
  let runs: HttpServer;
  let cluster: TestCluster;
  let alone: RunRecord;
  const config = smallRun({ training: { epochs: 20 } });
  const stored = (name: string) => join(folder.path, "store", name);

  beforeAll(async () => {
    folder = await smallData();
    runs = await serveRuns({ root: join(folder.path, "store"), token: TOKEN, cache: join(folder.path, "sums") });
    const store = { url: runs.url, token: TOKEN };
    cluster = await TestCluster.start({ folder: folder.path, workers: 2, store });
    alone = await runAlone(folder, config, "alone");
  });
  afterAll(async () => {
    await cluster?.close();
    await runs?.close();
    folder?.close();
  });

  test("keep a run over HTTP, also when the one that kept it dies, and leave no copies", async () => {
    const killed = [...cluster.workers.values()][0]?.fault({
      point: "commit:before",
      tag: "^40$",
      passes: 0,
      action: "kill",
    });
    const { record } = await cluster.train(config, "runs/a", 2);
    await killed;
    expect(record).toMatchObject({ run: "runs/a", status: "finished", weightsSha256: alone.weightsSha256 });
    expect((await loadRun(stored("runs/a"))).record).toEqual(record);
    expect(existsSync(join(stored("runs/a"), "checkpoints/last.json"))).toBe(true);
    const copies = readdirSync(folder.path).filter((name) => name.startsWith("copies-"));
    const left = copies.flatMap((name) => readdirSync(join(folder.path, name)));
    expect(left.length).toBeLessThanOrEqual(1); // the dead one's
    await cluster.haveWorkers(2);
  });

  test("that keeps its worker through a change of generation has every line of metrics", async () => {
    const second = [...cluster.workers.values()][1]?.fault({
      point: "commit:before",
      tag: "^42$",
      passes: 0,
      action: "kill",
    });
    const { record } = await cluster.train(config, "runs/b", 2);
    await second;
    expect(record.generations).toBeGreaterThan(1);
    const { folder: kept } = await loadRun(stored("runs/b"));
    const epochs = (await readMetrics(kept)).filter(({ event }) => event === "epoch").map(({ epoch }) => epoch);
    expect(epochs).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    await cluster.haveWorkers(2);
  });

  test("refuse a new run under a name that is there, and leave that run alone", async () => {
    await expect(cluster.train(config, "runs/a", 2)).rejects.toThrow(/already holds a run/);
    expect((await loadRun(stored("runs/a"))).record?.weightsSha256).toBe(alone.weightsSha256);
    await expect(cluster.train(config, "/runs/c", 2)).rejects.toThrow(/name/);
  });
});
