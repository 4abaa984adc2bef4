import { availableParallelism } from "node:os";
import { ConfigError } from "@gmc/core";
import { afterEach, expect, test } from "vitest";
import { EngineConfig, engineBits, replicasFor, useEngineDefaults } from "./config.ts";

const automatic = (threads: number, shards: number) => replicasFor(EngineConfig.parse({ threads }), shards);

test("auto is the largest number of shards at once that threads and Node's native calls allow and that divides them", () => {
  expect([1, 2, 3, 4, 5, 6].map((shards) => automatic(2, shards))).toEqual([1, 2, 1, 2, 1, 2]);
  expect([1, 2, 3, 4, 5, 6, 8, 12].map((shards) => automatic(16, shards))).toEqual([1, 2, 3, 4, 1, 3, 4, 4]);
  expect(automatic(1, 4)).toBe(1);
  expect(automatic(0, 4)).toBe([0, 1, 2, 2, 4][Math.min(availableParallelism(), 4)]);
});

test("TensorFlow computes one shard after another", () => {
  expect(replicasFor(EngineConfig.parse({ kind: "tensorflow", replicas: 4, threads: 4 }), 4)).toBe(1);
});

test.each([
  ["onnxruntime", ["cpu", "webgpu", "cuda", "auto"], ["gpu:0", "gpu:", "gpu:-1", "gpu:one", "gpu"]],
  ["tensorflow", ["cpu", "auto", "gpu:0", "gpu:12"], ["webgpu", "cuda", "gpu:", "gpu:-1", "gpu:1.5", "gpu"]],
])("%s computes on %j, not on %j", (kind, devices, refused) => {
  for (const device of devices) expect(EngineConfig.safeParse({ kind, device }).error, device).toBeUndefined();
  for (const device of refused) {
    expect(EngineConfig.safeParse({ kind, device }).error?.issues[0]?.path, device).toEqual(["device"]);
  }
});

test("a number is taken as it is, but never more than there are shards", () => {
  const config = EngineConfig.parse({ threads: 1, replicas: 3 });
  expect([1, 2, 3, 4].map((shards) => replicasFor(config, shards))).toEqual([1, 2, 3, 3]);
});

test("replicas are auto or a number from 1", () => {
  expect(EngineConfig.parse({}).replicas).toBe("auto");
  for (const replicas of [0, 1.5, -1, "all"]) expect(EngineConfig.safeParse({ replicas }).success).toBe(false);
});

test("what decides the bits: the device alone, with TensorFlow its threads too", () => {
  expect(engineBits(EngineConfig.parse({ threads: 2 }))).toBe(engineBits(EngineConfig.parse({ threads: 1 })));
  const onTensorflow = (threads: number) => engineBits(EngineConfig.parse({ kind: "tensorflow", threads }));
  expect(new Set([onTensorflow(1), onTensorflow(2), engineBits(EngineConfig.parse({}))]).size).toBe(3);
});

afterEach(() => useEngineDefaults({ kind: "onnxruntime", device: "cpu" }));

test("an installation may have another default; what a config names stays", () => {
  useEngineDefaults({ kind: "tensorflow", device: "auto" });
  expect(EngineConfig.parse({})).toMatchObject({ kind: "tensorflow", device: "auto" });
  expect(EngineConfig.parse({ kind: "onnxruntime", device: "cpu" })).toMatchObject({
    kind: "onnxruntime",
    device: "cpu",
  });
  expect(() => useEngineDefaults({ kind: "tensorflow", device: "webgpu" })).toThrow(ConfigError);
  expect(() => useEngineDefaults({ kind: "torch" })).toThrow(/kind.*received \{"kind":"torch"\}/);
  expect(EngineConfig.parse({})).toMatchObject({ kind: "tensorflow", device: "auto" });
});
