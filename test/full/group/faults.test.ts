import type { ProtocolPoint } from "@gmc/collectives";
import { compareMarkers, PROTOCOL_POINTS } from "@gmc/collectives";
import type { Model } from "@gmc/core";
import { integerAt, randomKey } from "@gmc/core";
import type { RedisServer } from "@gmc/testkit";
import { redisServerMissing, startRedisServer } from "@gmc/testkit";
import type { TrainResult } from "@gmc/trainer";
import { markerOf } from "@gmc/trainer";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { groupModel } from "../../support/group-model.ts";
import type { GroupRun } from "../../support/group-run.ts";
import { memberOptions, trainAlone } from "../../support/group-run.ts";
import { stopAt, TestCluster } from "./generations.ts";

const missing = redisServerMissing();

/** Of a step. */
const POINTS = PROTOCOL_POINTS.filter((point) => !point.startsWith("broadcast"));

const never = new Promise<void>(() => {});

describe.skipIf(missing)(`a run whose generations change${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let servers: RedisServer[];
  let run: GroupRun;
  let alone: TrainResult;
  let model: Model;
  const clusters: TestCluster[] = [];
  beforeAll(async () => {
    servers = [await startRedisServer(), await startRedisServer()];
    model = await groupModel();
    run = { model, batchSize: 12, shards: 4, wire: "bf16", validationSamples: 13 };
    alone = await trainAlone(run);
  });
  afterAll(() => Promise.all(servers.map((server) => server.close())));
  afterEach(async () => {
    for (const cluster of clusters.splice(0)) await cluster.close();
  });
  const open = async (): Promise<TestCluster> => {
    const cluster = await TestCluster.open(
      run,
      servers.map(({ url }) => url),
    );
    clusters.push(cluster);
    return cluster;
  };
  const stepsPerEpoch = () => memberOptions(run, undefined).source.stepsPerEpoch;

  /** Passings of a point before it stops there, drawn: in the first steps or the last, or while validating. */
  const draw = (point: ProtocolPoint, turn: number): number => {
    const [call = ""] = point.split(":");
    const most = { commit: 9, release: 12, gather: 16 }[call] ?? 24;
    return 1 + integerAt(randomKey(7, point), turn, most);
  };

  describe.each(POINTS)("at %s", (point) => {
    test("a worker that dies is done without: the others hold committed states and end with the bits of one process", async () => {
      const cluster = await open();
      const [a, b, c] = (await cluster.addWorkers(["a", "b", "c"])) as [never, never, never];
      const { hook, arrived } = stopAt(point, draw(point, 0), never);
      const first = await cluster.begin([a, b, c], [[0], [1, 2], [3]], {
        hook: (name) => (name === "b" ? hook : undefined),
      });
      await arrived;
      const second = await cluster.begin(
        [c, a],
        [
          [0, 1],
          [2, 3],
        ],
      ); // prettier-ignore
      const last = second.generation.base?.marker ?? null;
      for (const name of ["a", "c"]) {
        const { status, state } = await first.results.get(name)!;
        if (status === "finished") continue;
        expect(status).toBe("interrupted");
        expect(compareMarkers(markerOf(state, stepsPerEpoch()), last)).toBeLessThanOrEqual(0);
      }
      for (const result of await Promise.all(second.results.values())) {
        expect(result).toMatchObject({ status: "finished", state: alone.state });
      }
      expect(await cluster.committed()).toEqual({ step: 8, phase: "validated" });
    });

    test.each(["highest", "lowest"] as const)(
      "a worker that sleeps while the generation changes writes nowhere, and takes part again from the %s state",
      async (from) => {
        const cluster = await open();
        const workers = await cluster.addWorkers(["a", "b"]);
        let wake = (): void => {};
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const { hook, arrived } = stopAt(point, draw(point, 1), woken);
        const first = await cluster.begin(
          workers,
          [[0, 1, 2], [3]], // three whole subtrees: with two, both workers add up everything and give no sums
          { hook: (name) => (name === "a" ? hook : undefined) },
        );
        await arrived;
        await new Promise((resolve) => setTimeout(resolve, 60)); // the other gets as far as it can
        const only = await cluster.begin(workers.slice(1), [[3, 2, 1, 0]]);
        wake();
        const ends = await Promise.all(first.results.values());
        for (const { status, state } of ends) {
          if (status === "finished") continue;
          expect(status).toBe("interrupted");
          const behind = compareMarkers(markerOf(state, stepsPerEpoch()), only.generation.base?.marker ?? null);
          expect(behind).toBeLessThanOrEqual(0);
        }
        const [alive] = await Promise.all(only.results.values());
        expect(alive).toMatchObject({ status: "finished", state: alone.state });
        const again = await cluster.begin([...workers].reverse(), [[0], [1, 2, 3]], { from });
        for (const { status, state } of await Promise.all(again.results.values())) {
          expect(status).toBe("finished");
          expect(state).toEqual(alone.state);
        }
      },
    );
  });

  test("after the run is deleted no key is left", async () => {
    const cluster = await open();
    const workers = await cluster.addWorkers(["a", "b"]);
    const { results } = await cluster.begin(workers, [
      [0, 1],
      [2, 3],
    ]); // prettier-ignore
    await Promise.all(results.values());
    expect((await cluster.keys()).filter((key) => key.includes(":v:") || key.includes(":values:"))).toEqual([]);
    await cluster.deleteRun();
    expect(await cluster.keys()).toEqual([]);
  });
});
