import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { EngineConfig, replicasFor } from "./config.ts";

const automatic = (threads: number, shards: number) => replicasFor(EngineConfig.parse({ threads }), shards);

test("auto is the largest number of shards at once that threads and Node's native calls allow and that divides them", () => {
  expect([1, 2, 3, 4, 5, 6].map((shards) => automatic(2, shards))).toEqual([1, 2, 1, 2, 1, 2]);
  expect([1, 2, 3, 4, 5, 6, 8, 12].map((shards) => automatic(16, shards))).toEqual([1, 2, 3, 4, 1, 3, 4, 4]);
  expect(automatic(1, 4)).toBe(1);
  expect(automatic(0, 4)).toBe([0, 1, 2, 2, 4][Math.min(availableParallelism(), 4)]);
});

test("a number is taken as it is, but never more than there are shards", () => {
  const config = EngineConfig.parse({ threads: 1, replicas: 3 });
  expect([1, 2, 3, 4].map((shards) => replicasFor(config, shards))).toEqual([1, 2, 3, 3]);
});

test("replicas are auto or a number from 1", () => {
  expect(EngineConfig.parse({}).replicas).toBe("auto");
  for (const replicas of [0, 1.5, -1, "all"]) expect(EngineConfig.safeParse({ replicas }).success).toBe(false);
});
