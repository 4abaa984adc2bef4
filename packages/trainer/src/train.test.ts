import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, initialTrainState, NonFiniteError, weightsSha256 } from "@gmc/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCheckpoints } from "./checkpoints.ts";
import { TrainingConfig } from "./config.ts";
import type { Faults } from "./linear-replica.testing.ts";
import { linearModel, linearReplica, linearSource } from "./linear-replica.testing.ts";
import { train } from "./train.ts";
import type { EpochReport, MetricsLine, StepProgress, TrainOptions } from "./train-options.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-train-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** 5 steps an epoch of 8 samples each. */
const SOURCE = linearSource({ samples: 43, batchSize: 8, shards: 2 });
const config = (input: object = {}) =>
  TrainingConfig.parse({ batchSize: 8, shards: 2, epochs: 3, optimizer: { learningRate: 0.05 }, ...input });

const options = (input: object = {}, faults?: Faults): TrainOptions => ({
  model: linearModel,
  replica: linearReplica(faults),
  source: SOURCE,
  config: config(input),
  seed: 4,
  state: initialTrainState(linearModel, 4),
});
const openFolder = (input: object = {}) =>
  openCheckpoints(folder, linearModel, { config: { training: config(input) }, dataSha256: "d" });

test("a run makes every step of every epoch, lowers the loss and sums up", async () => {
  const result = await train(options());
  expect(result).toMatchObject({ status: "finished", steps: 15, epochs: 3 });
  expect(result.state.step).toBe(15);
  expect(result.lossPerEpoch).toHaveLength(3);
  expect(result.finalLoss).toBe(result.lossPerEpoch[2]);
  expect(result.lossPerEpoch[2]).toBeLessThan(result.lossPerEpoch[0]! / 2);
});

test("the same run twice has the same sha256", async () => {
  const [a, b] = [await train(options()), await train(options())];
  expect(weightsSha256(linearModel, a.state)).toBe(weightsSha256(linearModel, b.state));
  expect(weightsSha256(linearModel, a.state)).not.toBe(
    weightsSha256(linearModel, (await train({ ...options(), seed: 5 })).state), // other masks
  );
});

test.each(Array.from({ length: 15 }, (_, i) => i + 1))(
  "a run stopped after step %i and resumed from its checkpoint ends as one that never stopped",
  async (stopAfter) => {
    const input = {
      schedule: { kind: "cosine", warmupSteps: 2 },
      validation: { fraction: 0.1 },
      earlyStop: { patienceEpochs: 2 },
    };
    const validation = linearSource({ samples: 17, batchSize: 8, shards: 2 });
    const whole = await train({ ...options(input), validation });
    const stop = new AbortController();
    const stopped = await train({
      ...options(input),
      validation,
      checkpoints: openFolder(input),
      signal: stop.signal,
      onStep: ({ step }) => step === stopAfter && stop.abort(),
    });
    expect(stopped).toMatchObject({ status: "stopped", steps: stopAfter });
    const state = await openFolder(input).load("last");
    expect(state).toEqual(stopped.state);
    const resumed = await train({ ...options(input), validation, checkpoints: openFolder(input), state: state! });
    expect(resumed.state).toEqual(whole.state);
    expect(resumed).toMatchObject({
      status: whole.status,
      steps: whole.steps,
      lossPerEpoch: whole.lossPerEpoch,
      finalLoss: whole.finalLoss,
    });
  },
);

test("a stop during validation keeps the epoch open; the resume closes it", async () => {
  const validation = linearSource({ samples: 17, batchSize: 8, shards: 2 });
  const stop = new AbortController();
  const aborting = {
    ...validation,
    batches(from: number) {
      stop.abort();
      return validation.batches(from);
    },
  };
  const stopped = await train({ ...options(), validation: aborting, checkpoints: openFolder(), signal: stop.signal });
  expect(stopped).toMatchObject({ status: "stopped", steps: 5, epochs: 0 });
  expect(stopped.finalLoss).toBeCloseTo((await train({ ...options(), validation })).lossPerEpoch[0]!, 12);
  const resumed = await train({
    ...options(),
    validation,
    checkpoints: openFolder(),
    state: (await openFolder().load("last"))!,
  });
  expect(resumed.state).toEqual((await train({ ...options(), validation })).state);
});

test("more epochs under a constant rate go on where the shorter run ended", async () => {
  const short = await train({ ...options({ epochs: 2 }), checkpoints: openFolder({ epochs: 2 }) });
  expect(short.steps).toBe(10);
  const longer = openFolder({ epochs: 3 });
  const state = await longer.load("last");
  expect((await train({ ...options(), checkpoints: longer, state: state! })).state).toEqual(
    (await train(options())).state,
  );
});

test("a signal that fired before the first step saves the start", async () => {
  const result = await train({ ...options(), checkpoints: openFolder(), signal: AbortSignal.abort() });
  expect(result).toMatchObject({ status: "stopped", steps: 0, epochs: 0, finalLoss: null, samplesPerSecond: 0 });
  expect(await openFolder().load("last")).toEqual(initialTrainState(linearModel, 4));
});

test("a signal that fires in the middle of a step lets it finish, and saves", async () => {
  const stop = new AbortController();
  const faults: Faults = {
    forward(step, shard, forward) {
      if (step === 2 && shard === 0) stop.abort();
      return forward;
    },
  };
  const checkpoints = openFolder();
  const result = await train({ ...options({}, faults), checkpoints, signal: stop.signal });
  expect(result).toMatchObject({ status: "stopped", steps: 3 });
  expect(await checkpoints.load("last")).toEqual(result.state);
});

test("a signal that fires while the loop waits for data stops it", async () => {
  const stop = new AbortController();
  const source = {
    ...SOURCE,
    async *batches(from: number, signal?: AbortSignal) {
      for await (const batch of SOURCE.batches(from)) {
        if (batch.step === 3) {
          setTimeout(() => stop.abort(), 5);
          await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("cancelled"))));
        }
        yield batch;
      }
    },
  };
  expect(await train({ ...options(), source, signal: stop.signal })).toMatchObject({ status: "stopped", steps: 3 });
});

test("training stops early once patience runs out; the best checkpoint is the best epoch's", async () => {
  const worse = { gradient: (step: number, _: number, g: Float32Array) => step >= 10 && g.fill(0.5) }; // the third epoch goes astray
  const input = { epochs: 50, earlyStop: { patienceEpochs: 2 } };
  const result = await train({ ...options(input, worse), checkpoints: openFolder(input) });
  expect(result.status).toBe("early-stopped");
  const { best } = result.state.progress;
  expect(result.epochs).toBe(best!.epoch + 2);
  expect(best!.loss).toBe(Math.min(...result.lossPerEpoch));
  expect((await openFolder(input).load("best"))?.step).toBe(best!.epoch * 5);
  expect((await openFolder(input).load("last"))?.step).toBe(result.steps);
  const again = await train({ ...options(input), checkpoints: openFolder(input), state: result.state });
  expect(again).toMatchObject({ status: "early-stopped", steps: result.steps });
});

test("progress and metrics hold what a bar and a file need", async () => {
  let clock = 0;
  const [steps, epochs, lines]: [StepProgress[], EpochReport[], MetricsLine[]] = [[], [], []];
  const result = await train({
    ...options({ metrics: { everySteps: 4 } }),
    now: () => (clock += 100),
    onStep: (progress) => steps.push(progress),
    onEpoch: (report) => void epochs.push(report),
    onMetrics: async (line) => void lines.push(line),
  });
  expect(steps.map(({ step, epoch }) => [step, epoch])).toEqual(
    Array.from({ length: 15 }, (_, i) => [i + 1, Math.floor(i / 5) + 1]),
  );
  expect(steps[9]).toMatchObject({
    epochs: 3,
    totalSteps: 15,
    stepsPerEpoch: 5,
    samplesPerSecond: 80,
    secondsLeft: 0.5,
    learningRate: 0.05,
  });
  expect(steps[9]!.recentLoss).toBeCloseTo(steps.slice(0, 10).reduce((sum, { loss }) => sum + loss, 0) / 10, 12);
  expect(epochs.map(({ epoch, step, loss }) => [epoch, step, loss])).toEqual(
    result.lossPerEpoch.map((loss, i) => [i + 1, 5 * (i + 1), loss]),
  );
  expect(lines.map(({ event, step }) => `${event} ${step}`)).toEqual([
    "step 4",
    "epoch 5",
    "step 8",
    "epoch 10",
    "step 12",
    "epoch 15",
  ]);
  expect(Object.keys(lines[0]!).sort()).toEqual([
    "contrastive",
    "epoch",
    "event",
    "gradientNorm",
    "learningRate",
    "local",
    "loss",
    "samplesPerSecond",
    "step",
    "wallSeconds",
  ]);
  expect(result.samplesPerSecond).toBeCloseTo(80, 6);
});

test("a gradient that is not finite stops the run with step, shard and the last good checkpoint", async () => {
  const faults = {
    gradient: (step: number, shard: number, g: Float32Array) => step === 7 && shard === 1 && g.fill(Number.NaN),
  };
  const checkpoints = openFolder();
  const failure = await train({ ...options({}, faults), checkpoints }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(NonFiniteError);
  const lastCheckpoint = join(folder, "step-00000005.safetensors");
  expect((failure as NonFiniteError).details).toMatchObject({ step: 8, shard: 1, lastCheckpoint });
  const resumed = await train({
    ...options({}, faults),
    checkpoints: openFolder(),
    state: (await openFolder().load("last"))!,
  }).catch((error: unknown) => error);
  expect((resumed as NonFiniteError).details).toMatchObject({ step: 8, shard: 1, lastCheckpoint });
});

test("a validation loss that is not finite stops the run", async () => {
  const broken = linearSource({ samples: 8, batchSize: 8, shards: 2 });
  const validation = {
    ...broken,
    async *batches() {
      for await (const batch of broken.batches(0))
        yield { ...batch, shards: batch.shards.map((s) => ({ ...s, y: s.y!.map(() => Number.NaN) })) };
    },
  };
  await expect(train({ ...options(), validation })).rejects.toThrow("The validation loss after step 5 is NaN");
});

test("clipping and the schedule reach the update", async () => {
  const replica = linearReplica();
  await train({ ...options({ clipNorm: 0.5, schedule: { kind: "cosine", warmupSteps: 1 } }), replica });
  expect(replica.rules.map((rule) => rule.maxNorm)).toEqual(Array(15).fill(0.5));
  expect(replica.rules.map((rule) => rule.learningRate).slice(0, 2)).toEqual([0.025, 0.05]);
  expect(replica.rules[14]!.learningRate).toBeLessThan(1e-9);
});

test("contradictions are refused before anything runs", async () => {
  await expect(train(options({ shards: 3 }))).rejects.toThrow(ConfigError);
  await expect(train({ ...options(), source: { ...SOURCE, stepsPerEpoch: 0 } })).rejects.toThrow(
    "training.batchSize 8 is larger than the 43",
  );
  await expect(train({ ...options(), validation: { ...SOURCE, stepsPerEpoch: 0, samples: 3 } })).rejects.toThrow(
    "holds out 3 samples",
  );
});

test("a source that skips a step is refused", async () => {
  const source = { ...SOURCE, batches: (from: number) => SOURCE.batches(from + 1) };
  await expect(train({ ...options(), source })).rejects.toThrow("gave step 1, expected 0");
});
