import type { Model } from "@gmc/core";
import { buildModel } from "@gmc/models";
import { openConnection, parseRedisUrl } from "@gmc/redis";
import type { RedisServer } from "@gmc/testkit";
import { goldenMhdModel, redisServerMissing, startRedisServer } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { groupModel } from "../../support/group-model.ts";
import type { GroupRun } from "../../support/group-run.ts";
import { sha256Of, trainAlone } from "../../support/group-run.ts";
import { TestCluster } from "./generations.ts";

const missing = redisServerMissing();

describe.skipIf(missing)(`workers over Redis${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let servers: RedisServer[];
  let model: Model;
  beforeAll(async () => {
    servers = [await startRedisServer(), await startRedisServer()];
    model = await groupModel();
  });
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  async function open(run: GroupRun, count: number): Promise<TestCluster> {
    const cluster = await TestCluster.open(
      run,
      servers.slice(0, count).map(({ url }) => url),
    );
    onTestFinished(() => cluster.close());
    return cluster;
  }
  async function trainTogether(run: GroupRun, shares: readonly (readonly number[])[], serverCount = 1) {
    const cluster = await open(run, serverCount);
    const workers = await cluster.addWorkers(shares.map((_, rank) => `worker-${rank}`));
    const { results } = await cluster.begin(workers, shares);
    return await Promise.all(results.values());
  }

  describe.each(["fp32", "bf16"] as const)("%s", (wire) => {
    test.each([
      [4, [[0, 1, 2, 3]], 1],
      [
        4,
        [
          [0, 1],
          [2, 3],
        ],
        1,
      ], // prettier-ignore
      [4, [[0], [1, 2], [3]], 2],
      [4, [[0], [1], [2], [3]], 1],
      [3, [[0], [1, 2]], 2],
    ])("shards %i shared as %j over %i servers end with the sha256 of one process", async (shards, shares, count) => {
      const run: GroupRun = { model, batchSize: 12, shards, wire, validationSamples: 25 };
      const alone = await trainAlone(run);
      for (const result of await trainTogether(run, shares, count)) {
        expect(sha256Of(model, result)).toBe(sha256Of(model, alone));
        expect(result.state).toEqual(alone.state);
        if (shares.length > 1) expect(result.exchange?.bytesOut).toBeGreaterThan(0);
      }
    });
  });

  test("over many steps of the paper's model the memory of Redis stays flat, and what is left at the end goes with the run", async () => {
    const large = await goldenMhdModel(buildModel);
    const run: GroupRun = {
      model: large,
      batchSize: 8,
      shards: 2,
      wire: "fp32",
      samples: 8 * 12,
      training: { epochs: 2 },
    };
    const server = await startRedisServer();
    onTestFinished(() => server.close());
    const control = await openConnection(parseRedisUrl(server.url));
    onTestFinished(() => control.close());
    const peakBytes = async (): Promise<number> => {
      const info = String(await control.command(["INFO", "memory"]));
      return Number(/used_memory_peak:(\d+)/.exec(info)?.[1]);
    };
    const before = await peakBytes();
    const cluster = await TestCluster.open(run, [server.url], 2 ** 20);
    const workers = await cluster.addWorkers(["a", "b"]);
    const { results } = await cluster.begin(workers, [[0], [1]]);
    const early: number[] = [];
    const watch = setInterval(async () => {
      const step = (await cluster.committed())?.step ?? 0;
      if (step >= 4 && early.length === 0) early.push(await peakBytes());
    }, 50);
    const ends = await Promise.all(results.values());
    clearInterval(watch);
    const late = await peakBytes();
    const sent = ends.reduce((sum, { exchange }) => sum + (exchange?.bytesOut ?? 0), 0);
    expect(late - before).toBeLessThan(2.5 * sent); // the values of two steps, the next one's beside the last one's
    expect(late).toBeLessThan(1.1 * early[0]!);
    expect((await cluster.keys()).filter((key) => key.includes(":v:"))).toEqual([]);
    await cluster.deleteRun();
    expect(await control.command(["DBSIZE"])).toBe(0);
    await cluster.close();
  });
});
