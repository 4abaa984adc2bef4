import type { Inputs, Model, TrainState } from "@gmc/core";
import { initialTrainState, weightsSha256 } from "@gmc/core";
import { memoryBatches } from "@gmc/data";
import { EngineConfig, openReplica } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import {
  fixturePath,
  fromTorch,
  goldenInputs,
  goldenSmall,
  goldenSmallModel,
  packTensors,
  randomInputs,
  readTensorFile,
  relativeError,
  supervisedContractModel,
  tensorOf,
  variationalContractModel,
} from "@gmc/testkit";
import { expect, test } from "vitest";
import { TrainingConfig } from "./config.ts";
import { trainStep } from "./step.ts";
import { stepContext } from "./step-context.ts";
import { train } from "./train.ts";
import type { TrainOptions, TrainResult } from "./train-options.ts";

const ENGINE = EngineConfig.parse({ threads: 1 });
const RULE = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

async function withReplica<T>(model: Model, work: (replica: TrainOptions["replica"]) => Promise<T>): Promise<T> {
  const replica = await openReplica(model, ENGINE);
  try {
    return await work(replica);
  } finally {
    await replica.close();
  }
}

/** Values for every input, modality and target of `samples` samples. */
function sampleValues(model: Model, samples: number): Inputs {
  const stored = model
    .inputs(samples, "train")
    .filter(({ source }) => source.kind === "modality" || source.kind === "target");
  return randomInputs(stored, 5);
}

interface RunInput {
  readonly shards?: number;
  readonly training?: object;
  readonly samples?: number;
}

/** A short run on random samples; 12 to a batch. */
async function run(model: Model, input: RunInput = {}, options: Partial<TrainOptions> = {}): Promise<TrainResult> {
  const { shards = 1, training = {}, samples = 65 } = input;
  const config = TrainingConfig.parse({ batchSize: 12, shards, epochs: 2, ...training });
  const source = memoryBatches({
    samples,
    values: sampleValues(model, samples),
    inputs: model.inputs(12 / shards, "train"),
    batchSize: 12,
    shards,
    seed: 9,
    lastBatch: config.lastBatch,
  });
  return withReplica(model, (replica) =>
    train({ model, replica, source, config, seed: 9, state: initialTrainState(model, 9), ...options }),
  );
}

/** Options that stop a run once so many steps are made. */
function stoppedAfter(steps: number): Pick<TrainOptions, "signal" | "onStep"> {
  const controller = new AbortController();
  return { signal: controller.signal, onStep: ({ step }) => void (step === steps && controller.abort()) };
}

test.each([1, 4])("five steps in %i shards give PyTorch's losses, weights and running buffers", async (shards) => {
  const model = await goldenSmallModel(buildModel);
  const file = readTensorFile(fixturePath("small-model.safetensors"));
  const stateFrom = (prefix: string): TrainState => {
    const tensors = fromTorch(goldenSmall, file, prefix);
    const [parameters, buffers] = [packTensors(model.parameters, tensors), packTensors(model.buffers, tensors)];
    return { ...initialTrainState(model, 0), parameters, buffers };
  };
  const rows = 12 / shards;
  const inputs = Array.from({ length: shards }, (_, v) =>
    goldenInputs(goldenSmall, file, { start: v * rows, end: (v + 1) * rows }),
  );
  await withReplica(model, async (replica) => {
    const start = stateFrom("param.");
    await replica.write(start);
    const context = stepContext(model, replica, 0, start.buffers);
    const losses: number[] = [];
    for (let step = 0; step < 5; step++)
      losses.push((await trainStep(context, { step, epoch: 0, shards: inputs, total: shards }, RULE)).loss);
    const [end, reference] = [await replica.read(), stateFrom(`shards${shards}.after5.`)];
    expect(relativeError(losses, tensorOf(file, `shards${shards}.losses`).data)).toBeLessThan(1e-5);
    expect(relativeError(end.parameters, reference.parameters)).toBeLessThan(1e-4);
    expect(relativeError(end.buffers, reference.buffers)).toBeLessThan(1e-5);
  });
});

test("without batch norm the loss does not depend on the shards: 1, 2 and 4 agree to 1e-6 before every step of an epoch", async () => {
  const model = supervisedContractModel(); // masks, noise, contrastive and local loss
  const losses = [];
  for (const shards of [1, 2, 4]) {
    const perStep: number[] = [];
    await run(model, { shards, training: { epochs: 1 } }, { onStep: ({ loss }) => perStep.push(loss) });
    losses.push(perStep);
  }
  const [one, two, four] = losses;
  expect(one).toHaveLength(5);
  for (const other of [two!, four!]) {
    expect(Math.abs(other[0]! - one![0]!)).toBeLessThan(1e-6);
    expect(relativeError(other, one!)).toBeLessThan(1e-5); // float32 sums in another order, amplified by Adam
  }
});

test.each([
  ["GMC with batch norm", () => goldenSmallModel(buildModel), 2],
  ["supervised with dropout", async () => supervisedContractModel(), 4],
  ["variational, nothing contrasted", async () => variationalContractModel(), 3],
])("%s: the same sha256 twice, and with a stop at any step and a resume between", async (_, build, shards) => {
  const model = await build();
  const input = { shards, training: { schedule: { kind: "cosine", warmupSteps: 3 }, clipNorm: 5 } };
  const whole = await run(model, input);
  expect(whole).toMatchObject({ status: "finished", steps: 10, epochs: 2 });
  const sha256 = weightsSha256(model, whole.state);
  expect(weightsSha256(model, (await run(model, input)).state)).toBe(sha256);
  for (const stopAfter of [3, 5, 8]) {
    const stopped = await run(model, input, stoppedAfter(stopAfter));
    expect(stopped).toMatchObject({ status: "stopped", steps: stopAfter });
    const resumed = await run(model, input, { state: stopped.state });
    expect(weightsSha256(model, resumed.state)).toBe(sha256);
    expect(resumed.state).toEqual(whole.state);
  }
});

test("a kept last batch trains in its own size", async () => {
  const model = await goldenSmallModel(buildModel);
  const result = await run(model, { samples: 65 - 1, shards: 2, training: { lastBatch: "keep", epochs: 1 } }); // 5 × 12 + 4
  expect(result).toMatchObject({ status: "finished", steps: 6 });
});

test("a clipped gradient is scaled to the norm: under SGD-like Adam the first moment has it", async () => {
  const model = supervisedContractModel();
  const norms: number[] = [];
  const { state } = await run(
    model,
    { training: { clipNorm: 0.01, epochs: 1, optimizer: { beta1: 0 } } },
    { onStep: ({ gradientNorm }) => norms.push(gradientNorm) },
  );
  expect(Math.min(...norms)).toBeGreaterThan(0.01);
  expect(Math.sqrt(state.firstMoment.reduce((sum, m) => sum + m * m, 0))).toBeCloseTo(0.01, 7);
});

test("a NaN among the samples stops the run with step and shard, and the replica is as before the step", async () => {
  const model = await goldenSmallModel(buildModel);
  const values = sampleValues(model, 65);
  const config = TrainingConfig.parse({ batchSize: 12, shards: 4, epochs: 2 });
  const sourceOf = (broken: Inputs) =>
    memoryBatches({
      samples: 65,
      values: broken,
      inputs: model.inputs(3, "train"),
      batchSize: 12,
      shards: 4,
      seed: 9,
      lastBatch: "drop",
    });
  const clean = sourceOf(values);
  const source = {
    ...clean,
    async *batches(from: number, signal?: AbortSignal) {
      for await (const batch of clean.batches(from, signal)) {
        if (batch.step === 3) batch.shards[2]!.trajectory![7] = Number.NaN;
        yield batch;
      }
    },
  };
  await withReplica(model, async (replica) => {
    const failure: unknown = await train({
      model,
      replica,
      source,
      config,
      seed: 9,
      state: initialTrainState(model, 9),
    }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "ERR_NON_FINITE",
      details: { step: 4, shard: 2, what: "embedding of trajectory", lastCheckpoint: null },
    });
    const three = await run(model, { shards: 4 }, stoppedAfter(3));
    expect(weightsSha256(model, await replica.read())).toBe(weightsSha256(model, three.state));
  });
});

test.each([1, 3])(
  "an update refuses a gradient that is not finite, and a step of %i shards names the shard and the tensor",
  async (shards) => {
    const model = supervisedContractModel();
    await withReplica(model, async (replica) => {
      const start = initialTrainState(model, 9);
      await replica.write(start);
      const broken = shards - 1;
      const faulty = {
        compile: async (rows: number) => {
          const compiled = await replica.compile(rows);
          const backward: typeof compiled.backward = async (shard, cotangent, gradient) => {
            await compiled.backward(shard, cotangent, gradient);
            if (shard === broken) gradient[gradient.length - 1] = Number.NEGATIVE_INFINITY;
          };
          return { ...compiled, backward };
        },
        encoder: replica.encoder.bind(replica),
        write: replica.write.bind(replica),
        read: replica.read.bind(replica),
        update: replica.update.bind(replica),
        close: replica.close.bind(replica),
      };
      const inputs = Array.from({ length: shards }, (_, v) => randomInputs(model.inputs(4, "train"), v));
      const step = trainStep(
        stepContext(model, faulty, 1, start.buffers),
        { step: 0, epoch: 0, shards: inputs, total: shards },
        RULE,
      );
      await expect(step).rejects.toMatchObject({
        code: "ERR_NON_FINITE",
        details: { step: 1, shard: broken, what: "gradient of predictor.dense.bias", value: "-Infinity" },
      });
      expect(await replica.read()).toEqual(start);
    });
  },
);
