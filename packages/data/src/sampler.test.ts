import { expect, test } from "vitest";
import { epochOrder, holdOut, planBatches, StepSampler } from "./sampler.ts";

const options = { batchSize: 8, shards: 2, seed: 3, lastBatch: "drop" } as const;

test("an epoch's order is a permutation and a pure function of seed and epoch", () => {
  const order = epochOrder(5, 2, 100);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(epochOrder(5, 2, 100)).toEqual(order);
  expect(epochOrder(5, 3, 100)).not.toEqual(order);
  expect(epochOrder(6, 2, 100)).not.toEqual(order);
});

test("the first numbers of an order are these on every machine", () => {
  expect([...epochOrder(0, 0, 60000).subarray(0, 6)]).toMatchInlineSnapshot(`
    [
      37459,
      17391,
      27136,
      10072,
      55156,
      59184,
    ]
  `);
});

test("step s takes permutation[s·B …] of its epoch", () => {
  const plan = planBatches(50, options);
  expect(plan.stepsPerEpoch).toBe(6);
  const sampler = new StepSampler(plan);
  expect(sampler.at(0).rows).toEqual(epochOrder(3, 0, 50).subarray(0, 8));
  expect(sampler.at(13)).toEqual({ step: 13, epoch: 2, rows: epochOrder(3, 2, 50).subarray(8, 16) });
  expect(sampler.at(5).rows).toEqual(epochOrder(3, 0, 50).subarray(40, 48));
});

test("a kept last batch takes what is left", () => {
  const plan = planBatches(52, { ...options, lastBatch: "keep" });
  expect(plan.stepsPerEpoch).toBe(7);
  expect(new StepSampler(plan).at(6).rows).toEqual(epochOrder(3, 0, 52).subarray(48, 52));
  expect(planBatches(48, { ...options, lastBatch: "keep" }).stepsPerEpoch).toBe(6);
});

test("a subset is drawn from instead of all samples", () => {
  const subset = Uint32Array.of(5, 7, 11, 13, 17, 19, 23, 29);
  const { rows } = new StepSampler(planBatches(8, options), subset).at(0);
  expect(rows).toEqual(epochOrder(3, 0, 8).map((i) => subset[i] ?? 0));
});

test.each([
  [50, { ...options, shards: 3 }, /batchSize 8 cannot be cut into 3 equal shards/],
  [7, options, /batchSize 8 is larger than the 7 samples/],
  [50, { ...options, lastBatch: "keep" as const }, /last batch of 2 samples \(50 in batches of 8\), which 2 shards/],
  [51, { ...options, lastBatch: "keep" as const }, /last batch of 3 samples \(51 in batches of 8\), which 2 shards/],
  [50, { ...options, batchSize: 0 }, /batchSize 0 is not 1 or more/],
])("%i samples with %j are refused, naming the numbers", (samples, wrong, message) => {
  expect(() => planBatches(samples, wrong)).toThrow(message);
});

test("held-out samples are the fraction asked for, apart from the rest, and fixed by the seed", () => {
  const { train, validation } = holdOut(1, 105, 0.1);
  expect(validation).toHaveLength(10);
  expect([...train, ...validation].sort((a, b) => a - b)).toEqual(Array.from({ length: 105 }, (_, i) => i));
  expect(holdOut(1, 105, 0.1).validation).toEqual(validation);
  expect(holdOut(2, 105, 0.1).validation).not.toEqual(validation);
  expect([...validation]).toEqual([...validation].sort((a, b) => a - b));
  expect(holdOut(1, 105, 0).train).toHaveLength(105);
  expect(() => holdOut(1, 105, 1)).toThrow(/below 1, received 1/);
});
