import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { eachShard } from "./each-shard.ts";

test.each([1, 2, 3, 8])("results stand in shard order, and at most %i shards are under way", async (atOnce) => {
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  const results = await eachShard(5, atOnce, async (shard) => {
    begun.push(shard);
    most = Math.max(most, ++running);
    await sleep(5 - shard);
    running--;
    return shard * 10;
  });
  expect(results).toEqual([0, 10, 20, 30, 40]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(most).toBe(Math.min(atOnce, 5));
});

test("what comes before the first wait of a shard happens while the shards before it are under way", async () => {
  const events: string[] = [];
  await eachShard(2, 2, async (shard) => {
    events.push(`begin ${shard}`);
    await sleep(1);
    events.push(`end ${shard}`);
  });
  expect(events.slice(0, 2)).toEqual(["begin 0", "begin 1"]);
});

test("after a failure no shard begins, those under way are awaited, and the lowest failed shard is named", async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const failing = eachShard(6, 3, async (shard) => {
    begun.push(shard);
    await sleep(shard === 1 ? 15 : 5);
    ended.push(shard);
    if (shard === 1 || shard === 2) throw new Error(`shard ${shard}`);
  });
  await expect(failing).rejects.toThrow("shard 1");
  expect(ended.toSorted()).toEqual(begun.toSorted());
  expect(begun).not.toContain(5);
});

test("no shards give no results", async () => {
  expect(await eachShard(0, 2, async (shard) => shard)).toEqual([]);
});
