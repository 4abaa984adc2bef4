import { initialTrainState, NonFiniteError } from "@gmc/core";
import { expect, test } from "vitest";
import type { Faults } from "./linear-replica.testing.ts";
import { linearModel, linearReplica, linearSource } from "./linear-replica.testing.ts";
import { batchLoss, trainStep } from "./step.ts";
import { stepContext } from "./step-context.ts";

const RULE = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

async function start(shards: number, faults?: Faults) {
  const replica = linearReplica(faults);
  const state = initialTrainState(linearModel, 3);
  await replica.write(state);
  const source = linearSource({ samples: 64, batchSize: 32, shards });
  const batches = [];
  for await (const batch of source.batches(0)) if (batches.push(batch) === 4) break;
  return { replica, context: stepContext(linearModel, replica, 3, state.buffers), batches };
}

test("shards share the batch: the loss of 1, 2 and 4 shards agrees to 1e-6, as does what comes after three steps", async () => {
  const results = [];
  for (const shards of [1, 2, 4]) {
    const { replica, context, batches } = await start(shards);
    const losses = [];
    for (const batch of batches) losses.push((await trainStep(context, batch, RULE)).loss);
    const { parameters, buffers } = await replica.read();
    results.push([...losses, ...parameters, ...buffers]);
  }
  const [one, ...others] = results;
  for (const other of others)
    for (const [i, value] of other.entries()) expect(Math.abs(value - one![i]!)).toBeLessThan(1e-6);
});

test("the report holds the loss before the step, the gradient's norm and the samples", async () => {
  const { context, batches } = await start(2);
  const before = await trainStep(context, batches[0]!, { ...RULE, learningRate: 1e-9 });
  const again = await trainStep(context, { ...batches[0]!, step: 0 }, RULE);
  expect(again.loss).toBeCloseTo(before.loss, 6);
  expect(before).toMatchObject({ contrastive: 0, samples: 32 });
  expect(before.local).toBe(before.loss);
  expect(before.gradientNorm).toBeGreaterThan(0);
});

test("running buffers take one momentum step a training step", async () => {
  const { replica, context, batches } = await start(4);
  await trainStep(context, batches[0]!, RULE);
  const { buffers } = await replica.read();
  expect(buffers).toEqual(context.buffers);
  expect(buffers.some((value) => value !== 0)).toBe(true);
});

const nan = (values: Float32Array, place: number): Float32Array => {
  const copy = values.slice();
  copy[place] = Number.NaN;
  return copy;
};

test.each<[string, Faults, string]>([
  [
    "a local loss",
    { forward: (step, shard, f) => (step === 1 && shard === 2 ? { ...f, localLoss: Number.POSITIVE_INFINITY } : f) },
    "local loss",
  ],
  [
    "batch statistics",
    {
      forward: (step, shard, f) =>
        step === 1 && shard === 2 ? { ...f, batchStatistics: nan(f.batchStatistics!, 1) } : f,
    },
    "batch statistic of mean",
  ],
  [
    "a gradient",
    { gradient: (step, shard, g) => step === 1 && shard === 2 && g.fill(Number.NaN, 3) },
    "gradient of bias",
  ],
])("%s that is not finite stops the step, names step and shard, and nothing is committed", async (_, faults, what) => {
  const { replica, context, batches } = await start(4, faults);
  await trainStep(context, batches[0]!, RULE);
  const before = await replica.read();
  const buffers = context.buffers.slice();
  const failure = await trainStep(context, batches[1]!, RULE, "step-00000001.safetensors").catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(NonFiniteError);
  expect((failure as NonFiniteError).details).toMatchObject({
    step: 2,
    shard: 2,
    what,
    lastCheckpoint: "step-00000001.safetensors",
  });
  expect((failure as NonFiniteError).message).toMatch(
    /^Step 2, shard 2: the .* not committed\. Last checkpoint: step-00000001/,
  );
  expect(await replica.read()).toEqual(before);
  expect(context.buffers).toEqual(buffers);
});

test("after a failed step the same context makes the step as if nothing had happened", async () => {
  const fail = { once: true };
  const { replica, context, batches } = await start(4, {
    gradient(step, shard, gradient) {
      if (step === 0 && shard === 3 && fail.once) gradient[0] = Number.NaN;
    },
  });
  await expect(trainStep(context, batches[0]!, RULE)).rejects.toThrow(NonFiniteError);
  fail.once = false;
  await trainStep(context, batches[0]!, RULE);
  const { replica: other, context: untouched } = await start(4);
  await trainStep(untouched, batches[0]!, RULE);
  expect((await replica.read()).parameters).toEqual((await other.read()).parameters);
});

test("finite gradients whose sum is not are caught before anything is committed", async () => {
  const { replica, context, batches } = await start(2, { gradient: (_, __, gradient) => gradient.fill(3e38) });
  const failure = await trainStep(context, batches[0]!, RULE).catch((error: unknown) => error);
  expect((failure as NonFiniteError).details).toMatchObject({ step: 1, shard: null, what: "gradient of weight" });
  expect((await replica.read()).step).toBe(0);
});

test("clipping's norm reaches the replica with the rule", async () => {
  const { replica, context, batches } = await start(1);
  await trainStep(context, batches[0]!, { ...RULE, maxNorm: 0.01, learningRate: 1 });
  const moved = (await replica.read()).parameters.map((p, i) => p - initialTrainState(linearModel, 3).parameters[i]!);
  expect(Math.hypot(...moved)).toBeCloseTo(0.01, 6);
});

test("validation's loss keeps everything that masks would drop, and moves nothing", async () => {
  const { replica, context, batches } = await start(2);
  const before = await replica.read();
  const loss = await batchLoss(context, batches[0]!);
  const whole = await start(1);
  expect(loss).toBeCloseTo(await batchLoss(whole.context, whole.batches[0]!), 6);
  expect(loss).not.toBeCloseTo((await trainStep(context, batches[0]!, { ...RULE, learningRate: 1e-12 })).loss, 6);
  expect((await replica.read()).buffers).not.toEqual(before.buffers);
});

test("a shard with other rows than the first is refused by name", async () => {
  const { context, batches } = await start(2);
  const [first, second] = batches[0]!.shards;
  const shards = [first!, { x: second!.x!.slice(3), y: second!.y! }];
  await expect(trainStep(context, { ...batches[0]!, shards }, RULE)).rejects.toThrow(
    'Shard 1, input "x": expected shape [16,3]',
  );
});
