import { ConfigError } from "@gmc/core";
import { expect, test } from "vitest";
import { checkTrainingConfig, TrainingConfig } from "./config.ts";

test("an empty section is the paper's setting: batches of 64, one shard, Adam at a constant 1e-3", () => {
  const config = TrainingConfig.parse({});
  expect(config).toMatchObject({
    batchSize: 64,
    shards: 1,
    epochs: 100,
    lastBatch: "drop",
    schedule: { kind: "constant" },
  });
  expect(config.optimizer).toEqual({
    kind: "adam",
    learningRate: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
  });
  expect(config.clipNorm).toBeUndefined();
  expect(() => checkTrainingConfig(config)).not.toThrow();
});

test("unknown keys and values out of range are refused", () => {
  expect(TrainingConfig.safeParse({ batchsize: 64 }).success).toBe(false);
  expect(TrainingConfig.safeParse({ schedule: { kind: "constant", warmupSteps: 3 } }).success).toBe(false);
  expect(TrainingConfig.safeParse({ validation: { fraction: 1 } }).success).toBe(false);
  expect(TrainingConfig.safeParse({ optimizer: { beta2: 1 } }).success).toBe(false);
});

test("shards that do not divide the batch are refused with the nearest number that does", () => {
  const check = () => checkTrainingConfig(TrainingConfig.parse({ batchSize: 64, shards: 3 }));
  expect(check).toThrow(ConfigError);
  expect(check).toThrow("training.shards must divide training.batchSize (64), received 3; nearest: 2.");
});

test("weight decay under plain Adam is refused", () => {
  expect(() => checkTrainingConfig(TrainingConfig.parse({ optimizer: { weightDecay: 0.1 } }))).toThrow("adamw");
});

test("every field has a description", () => {
  const missing: string[] = [];
  const visit = (schema: unknown, path: string): void => {
    const node = schema as {
      description?: string;
      properties?: object;
      oneOf?: unknown[];
      type?: string;
      const?: unknown;
    };
    for (const [key, child] of Object.entries(node.properties ?? {})) visit(child, `${path}.${key}`);
    for (const option of node.oneOf ?? []) visit(option, path);
    if (!node.properties && !node.oneOf && !node.description && node.const === undefined) missing.push(path);
  };
  visit(TrainingConfig.toJSONSchema({ io: "input" }), "training");
  expect(missing).toEqual([]);
});
