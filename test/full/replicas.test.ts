import { setTimeout as sleep } from "node:timers/promises";
import type { CompiledModel, Model, Replica } from "@gmc/core";
import { initialTrainState, weightsSha256 } from "@gmc/core";
import { EngineConfig, openReplica } from "@gmc/engine";
import { buildModel, ModelConfig } from "@gmc/models";
import {
  goldenMhd,
  goldenSmallModel,
  randomInputs,
  supervisedContractModel,
  variationalContractModel,
} from "@gmc/testkit";
import { batchLoss, stepContext, trainStep } from "@gmc/trainer";
import { beforeAll, describe, expect, test } from "vitest";

const BATCH = 12;
const RULE = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxNorm: 1 };

const MODELS: Readonly<Record<string, () => Model | Promise<Model>>> = {
  "small GMC (batch norm)": () => goldenSmallModel(buildModel),
  "supervised (dropout, noise, local loss)": supervisedContractModel,
  "variational (nothing contrasted, batch norm)": variationalContractModel,
};

interface Setup {
  readonly replicas: number;
  readonly threads?: number;
  readonly runner?: "c-api" | "onnxruntime-node";
}

const open = (model: Model, { replicas, threads = replicas, runner = "c-api" }: Setup): Promise<Replica> =>
  openReplica(model, EngineConfig.parse({ threads, replicas, runner }));

/** A batch of V shards; other values at every step. */
const batchOf = (model: Model, step: number, shards: number, rows = BATCH / shards) => ({
  step,
  epoch: 0,
  shards: Array.from({ length: shards }, (_, v) => randomInputs(stored(model, rows), 100 * step + v)),
  total: shards,
});

/** What the data gives; masks and noise are drawn by the step. */
const stored = (model: Model, rows: number) =>
  model.inputs(rows, "train").filter(({ source }) => source.kind === "modality" || source.kind === "target");

/** sha256 of the weights after some steps, and every loss on the way. */
async function trained(model: Model, shards: number, setup: Setup, { steps = 5, rows = BATCH / shards } = {}) {
  const replica = await open(model, setup);
  try {
    const start = initialTrainState(model, 1);
    await replica.write(start);
    const context = stepContext(model, replica, 1, start.buffers.slice());
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      losses.push((await trainStep(context, batchOf(model, step, shards, rows), RULE)).loss);
    }
    losses.push(await batchLoss(context, batchOf(model, steps, shards, rows)));
    return { sha256: weightsSha256(model, await replica.read()), losses };
  } finally {
    await replica.close();
  }
}

describe.each(Object.entries(MODELS))("%s", (_name, build) => {
  test.each([1, 2, 3, 4])(
    "%i shards: the same weights from 1, 2 and 3 replicas, and from both runners",
    async (shards) => {
      const model = await build();
      const alone = await trained(model, shards, { replicas: 1 });
      expect(alone.losses.every(Number.isFinite)).toBe(true);
      expect(await trained(model, shards, { replicas: 2 })).toEqual(alone);
      expect(await trained(model, shards, { replicas: 3 })).toEqual(alone);
      expect(await trained(model, shards, { replicas: 2, threads: 5 })).toEqual(alone); // a pool beside them
      expect(await trained(model, shards, { replicas: 2, runner: "onnxruntime-node" })).toEqual(alone);
    },
  );
});

test("a batch large enough for a loss on threads gives the same weights too", async () => {
  const model = await goldenSmallModel(buildModel);
  const length = { steps: 2, rows: 320 };
  const alone = await trained(model, 2, { replicas: 1 }, length);
  const replica = await open(model, { replicas: 2 });
  expect(
    replica.contrastiveLoss?.(
      { loss: "nt_xent", temperature: 0.1 },
      { modalities: model.modalities.length, batch: 640, dim: 8 },
    ),
  ).toBeDefined();
  await replica.close();
  expect(await trained(model, 2, { replicas: 2 }, length)).toEqual(alone);
});

test("the paper's model, whose products are large enough to be divided: the same weights from any threads and replicas", async () => {
  const model = await buildModel(ModelConfig.parse({ preset: "mhd" }), goldenMhd.modalities);
  const length = { steps: 2, rows: 16 };
  const alone = await trained(model, 2, { replicas: 1 }, length);
  for (const setup of [
    { replicas: 1, threads: 2 },
    { replicas: 1, threads: 8 },
    { replicas: 2, threads: 2 },
    { replicas: 2, threads: 5 },
  ]) {
    expect(await trained(model, 2, setup, length)).toEqual(alone);
  }
});

test.each([
  { replicas: 1, threads: 1 },
  { replicas: 1, threads: 2 },
  { replicas: 2, threads: 2 },
])("a part is told when it is complete, in one order for every shard: %o", async (setup) => {
  const model = await buildModel(ModelConfig.parse({ preset: "mhd" }), goldenMhd.modalities);
  const rows = 16;
  const replica = await open(model, setup);
  const state = initialTrainState(model, 1);
  await replica.write(state);
  const compiled = await replica.compile(rows);
  const shards = [0, 1];
  const forwards = await Promise.all(
    shards.map((v) => compiled.forward(v, randomInputs(model.inputs(rows, "train"), v))),
  );
  const told = await Promise.all(
    shards.map(async (v) => {
      const gradient = new Float32Array(state.parameters.length);
      const parts: { start: number; end: number; values: Float32Array }[] = [];
      const dz = forwards[v]?.embeddings?.map((value) => value / rows) ?? new Float32Array(0);
      await compiled.backward(v, { dz, localWeight: 1 }, gradient, async ({ start, end }) => {
        parts.push({ start, end, values: gradient.slice(start, end) });
      });
      const bytes = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
      expect(
        parts.filter(({ start, end, values }) => !bytes(values).equals(bytes(gradient.subarray(start, end)))),
      ).toEqual([]);
      expect(parts.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(gradient.length);
      expect(parts.every(({ values }) => values.some((value) => value !== 0))).toBe(true);
      return parts.map(({ start, end }) => [start, end]);
    }),
  );
  expect(told[0]).toHaveLength(model.modalities.length + 2); // and the joint encoder, and the head
  expect(told[1]).toEqual(told[0]);
  await replica.close();
});

describe("a failure with several shards under way", () => {
  let model: Model;
  beforeAll(async () => {
    model = await goldenSmallModel(buildModel);
  });

  /** A replica of which a test may change what is compiled; counts what is running. */
  async function start(change: (compiled: CompiledModel) => Partial<CompiledModel>) {
    const replica = await open(model, { replicas: 2 });
    const state = initialTrainState(model, 1);
    await replica.write(state);
    const running = new Set<string>();
    const counted = async <T>(name: string, work: Promise<T>): Promise<T> => {
      running.add(name);
      try {
        return await work;
      } finally {
        running.delete(name);
      }
    };
    const changed: Replica = {
      shardsAtOnce: 2,
      compile: async (rows) => {
        const compiled = await replica.compile(rows);
        const { forward, backward } = { ...compiled, ...change(compiled) };
        return {
          rows,
          forward: (shard, ...rest) => counted(`forward ${shard}`, forward(shard, ...rest)),
          backward: (shard, ...rest) => counted(`backward ${shard}`, backward(shard, ...rest)),
        };
      },
      encoder: (...args) => replica.encoder(...args),
      write: (written) => replica.write(written),
      read: () => replica.read(),
      update: (...args) => replica.update(...args),
      close: () => replica.close(),
    };
    return { replica, running, state, context: stepContext(model, changed, 1, state.buffers.slice()) };
  }

  test.each(["forward", "backward"] as const)(
    "a %s that fails is thrown when nothing runs any more, and nothing has moved",
    async (call) => {
      const broken = (name: string, shard: number) => name === call && shard === 1;
      const { replica, running, state, context } = await start((compiled) => ({
        async forward(shard, inputs) {
          if (broken("forward", shard)) throw new Error("shard 1 broke");
          const result = await compiled.forward(shard, inputs);
          if (shard === 0) await sleep(30); // still under way when shard 1 fails
          return result;
        },
        async backward(shard, cotangent, gradient) {
          if (broken("backward", shard)) throw new Error("shard 1 broke");
          await compiled.backward(shard, cotangent, gradient);
          if (shard === 0) await sleep(30);
        },
      }));
      await expect(trainStep(context, batchOf(model, 0, 4), RULE)).rejects.toThrow("shard 1 broke");
      expect([...running]).toEqual([]);
      expect(await replica.read()).toEqual(state);
      await replica.close();
    },
  );

  test("the lowest shard of those that are not finite is named, whichever finishes first", async () => {
    const batch = batchOf(model, 0, 4);
    for (const v of [1, 2, 3]) batch.shards[v]?.trajectory?.fill(Number.NaN);
    const { replica, running, state, context } = await start((compiled) => ({
      forward: async (shard, inputs) => {
        const result = await compiled.forward(shard, inputs);
        if (shard === 1) await sleep(30);
        return result;
      },
    }));
    await expect(trainStep(context, batch, RULE)).rejects.toMatchObject({
      code: "ERR_NON_FINITE",
      details: { step: 1, shard: 1 },
    });
    expect([...running]).toEqual([]);
    expect(await replica.read()).toEqual(state);
    await replica.close();
  });

  test("a gradient that is not finite names its shard, and after it the context makes the step as if nothing had happened", async () => {
    let broken = true;
    const { replica, context } = await start((compiled) => ({
      backward: async (shard, cotangent, gradient) => {
        await compiled.backward(shard, cotangent, gradient);
        if (broken && shard === 2) gradient[3] = Number.NaN;
      },
    }));
    await expect(trainStep(context, batchOf(model, 0, 4), RULE)).rejects.toMatchObject({ details: { shard: 2 } });
    broken = false;
    for (let step = 0; step < 5; step++) await trainStep(context, batchOf(model, step, 4), RULE);
    const { sha256 } = await trained(model, 4, { replicas: 1 });
    expect(weightsSha256(model, await replica.read())).toBe(sha256);
    await replica.close();
  });

  test.each([0, 1, 3, 6])(
    "a replica that is closed %i events into a step waits for its shards, and the step fails",
    async (events) => {
      const { replica, running, context } = await start(() => ({}));
      await trainStep(context, batchOf(model, 0, 4), RULE); // compiled
      const step = trainStep(context, batchOf(model, 1, 4), RULE).then(
        () => "done",
        (error: Error) => error.message,
      );
      for (let i = 0; i < events; i++) await new Promise((resolve) => setImmediate(resolve));
      await replica.close();
      expect(await step).toMatch(/after close|^done$/);
      expect([...running]).toEqual([]);
    },
  );
});
