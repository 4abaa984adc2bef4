import type { Inputs, Model, Replica, TrainState } from "@gmc/core";
import { initialTrainState, tensorLayout, tensorViews } from "@gmc/core";
import { EngineConfig, openReplica } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import type { GoldenModel, TensorFile } from "@gmc/testkit";
import {
  fixturePath,
  fromTorch,
  goldenInputs,
  goldenMhd,
  goldenMhdModel,
  goldenSmall,
  goldenSmallModel,
  nameFromTorch,
  packTensors,
  readTensorFile,
  relativeError,
  scalarOf,
  sharedPath,
  tensorOf,
} from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CompiledStep } from "../support/compiled-step.ts";
import { compiledStep, movedBuffers } from "../support/compiled-step.ts";

/** The project's bar for the loss and every parameter's gradient, against float64. */
const GRADIENT_TOLERANCE = 1e-5;
/** After five Adam steps, which divide by tiny second moments and so enlarge rounding. */
const TRAINED_TOLERANCE = 1e-4;
const RULE = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** A golden model on the engine, from the weights of a golden file. */
class GoldenRun {
  readonly model: Model;
  readonly golden: GoldenModel;
  readonly weights: TensorFile;
  readonly replica: Replica;

  static async open(model: Model, golden: GoldenModel, weights: TensorFile): Promise<GoldenRun> {
    const replica = await openReplica(model, EngineConfig.parse({ threads: 1 }));
    return new GoldenRun(model, golden, weights, replica);
  }

  private constructor(model: Model, golden: GoldenModel, weights: TensorFile, replica: Replica) {
    this.model = model;
    this.golden = golden;
    this.weights = weights;
    this.replica = replica;
  }

  stateFrom(file: TensorFile, prefix: string): TrainState {
    const tensors = fromTorch(this.golden, file, prefix);
    return {
      ...initialTrainState(this.model, 0),
      parameters: packTensors(this.model.parameters, tensors),
      buffers: packTensors(this.model.buffers, tensors),
    };
  }

  reset(): Promise<void> {
    return this.replica.write(this.stateFrom(this.weights, "param."));
  }

  async step(batch: number, shards: number): Promise<CompiledStep> {
    const rows = batch / shards;
    const inputs = Array.from(
      { length: shards },
      (_, v): Inputs => goldenInputs(this.golden, this.weights, { start: v * rows, end: (v + 1) * rows }),
    );
    return compiledStep(this.model, await this.replica.compile(rows), inputs);
  }

  /** Five training steps; their losses. */
  async train(batch: number, shards: number): Promise<number[]> {
    const losses: number[] = [];
    for (let step = 0; step < 5; step++) {
      const { loss, gradient, statistics } = await this.step(batch, shards);
      losses.push(loss);
      const { buffers } = await this.replica.read();
      await this.replica.update(gradient, RULE, movedBuffers(this.model, buffers, statistics));
    }
    return losses;
  }

  /** Codes of every single modality and of all of them, [M+1, batch, d], as the golden `eval.z`. */
  async evaluate(batch: number): Promise<Float32Array> {
    const codes: number[] = [];
    for (const present of [...this.model.modalities.map((name) => [name]), this.model.modalities]) {
      const encoder = await this.replica.encoder(batch, present);
      codes.push(...(await encoder.encode(goldenInputs(this.golden, this.weights))).code);
    }
    return Float32Array.from(codes);
  }

  gradients(step: CompiledStep): Record<string, Float32Array> {
    return tensorViews(tensorLayout(this.model.parameters), step.gradient);
  }
}

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

/** Every tensor's relative error is below the tolerance; names the ones that are not. */
function expectClose(
  actual: Readonly<Record<string, Float32Array>>,
  reference: Readonly<Record<string, Float32Array>>,
  tolerance: number,
): void {
  const errors = Object.entries(reference).map(
    ([name, values]) => [name, relativeError(actual[name]!, values)] as const,
  );
  expect(errors.length).toBeGreaterThan(0);
  expect(errors.filter(([, error]) => !(error < tolerance))).toEqual([]);
}

describe.each([1, 4])("the compiled small golden model in shards: %i", (shards) => {
  const file = readTensorFile(fixturePath("small-model.safetensors"));
  const batch = 12;
  let run: GoldenRun;
  beforeAll(async () => {
    run = await GoldenRun.open(await goldenSmallModel(buildModel), goldenSmall, file);
  });
  afterAll(() => run.replica.close());

  test("embeddings, loss and every gradient are within 1e-5 of float64", async () => {
    await run.reset();
    const step = await run.step(batch, shards);
    const reference = fromTorch(goldenSmall, file, `shards${shards}.grad.`);
    expect(Object.keys(reference).sort()).toEqual(run.model.parameters.map(({ name }) => name).sort());
    expectClose(run.gradients(step), reference, GRADIENT_TOLERANCE);
    expect(relativeError(step.embeddings ?? [], tensorOf(file, `shards${shards}.z`).data)).toBeLessThan(
      GRADIENT_TOLERANCE,
    );
    expect(relativeError([step.loss], [scalarOf(file, `shards${shards}.loss`)])).toBeLessThan(GRADIENT_TOLERANCE);
  });

  test("five Adam steps give the reference's losses, weights, running buffers and evaluation codes", async () => {
    await run.reset();
    const losses = await run.train(batch, shards);
    expect(relativeError(losses, tensorOf(file, `shards${shards}.losses`).data)).toBeLessThan(TRAINED_TOLERANCE);
    const after = run.stateFrom(file, `shards${shards}.after5.`);
    const state = await run.replica.read();
    expect(state.step).toBe(5);
    expect(relativeError(state.parameters, after.parameters)).toBeLessThan(TRAINED_TOLERANCE);
    expect(relativeError(state.buffers, after.buffers)).toBeLessThan(TRAINED_TOLERANCE);
    const codes = await run.evaluate(batch);
    expect(relativeError(codes, tensorOf(file, `shards${shards}.eval.z`).data)).toBeLessThan(TRAINED_TOLERANCE);
  });
});

const large = {
  step: sharedPath("golden/train-step.safetensors"),
  shards: sharedPath("golden/train-step-4-shards.safetensors"),
  adam: sharedPath("golden/five-adam-steps.safetensors"),
  buffers: sharedPath("golden/running-buffers-4-shards.safetensors"),
};
const absent = Object.values(large).includes(undefined);
const suffix = absent ? " (skipped: the golden files are not in GMC_SHARED or ../shared)" : "";

describe.skipIf(absent)(`the compiled MHD model, 2.9 million parameters${suffix}`, () => {
  const batch = 16;
  let run: GoldenRun;
  const read = (name: keyof typeof large): TensorFile => readTensorFile(large[name]!);
  beforeAll(async () => {
    run = await GoldenRun.open(await goldenMhdModel(buildModel), goldenMhd, read("step"));
  });
  afterAll(() => run?.replica.close());

  test("one step: embeddings, loss and every gradient are within 1e-5 of float64", async () => {
    await run.reset();
    const step = await run.step(batch, 1);
    expectClose(run.gradients(step), fromTorch(goldenMhd, run.weights, "grad."), GRADIENT_TOLERANCE);
    expect(relativeError(step.embeddings ?? [], tensorOf(run.weights, "output.z").data)).toBeLessThan(
      GRADIENT_TOLERANCE,
    );
    expect(relativeError([step.loss], [scalarOf(run.weights, "output.loss")])).toBeLessThan(GRADIENT_TOLERANCE);
  });

  test("the same batch in four shards: loss, gradients, their norms and the running buffers after it", async () => {
    await run.reset();
    const file = read("shards");
    const step = await run.step(batch, 4);
    expectClose(run.gradients(step), fromTorch(goldenMhd, file, "grad."), GRADIENT_TOLERANCE);
    for (const [name, { data }] of file.tensors) {
      if (!name.startsWith("gradNorm.")) continue;
      const gradient = run.gradients(step)[nameFromTorch(name.slice("gradNorm.".length))]!;
      expect(relativeError([norm(gradient)], data), name).toBeLessThan(GRADIENT_TOLERANCE);
    }
    expect(relativeError(step.embeddings ?? [], tensorOf(file, "output.z").data)).toBeLessThan(GRADIENT_TOLERANCE);
    expect(relativeError([step.loss], [scalarOf(file, "output.loss")])).toBeLessThan(GRADIENT_TOLERANCE);
    const buffers = movedBuffers(run.model, (await run.replica.read()).buffers, step.statistics);
    const reference = fromTorch(goldenMhd, read("buffers"), "");
    expectClose(tensorViews(tensorLayout(run.model.buffers), buffers), reference, GRADIENT_TOLERANCE);
  });

  test("five Adam steps give the reference's losses, norms, last layer and evaluation codes", async () => {
    await run.reset();
    const file = read("adam");
    expect(relativeError(await run.train(batch, 1), tensorOf(file, "losses").data)).toBeLessThan(TRAINED_TOLERANCE);
    const state = await run.replica.read();
    const tensors = {
      ...tensorViews(tensorLayout(run.model.parameters), state.parameters),
      ...tensorViews(tensorLayout(run.model.buffers), state.buffers),
    };
    for (const [name, { data }] of file.tensors) {
      if (!name.startsWith("norm.")) continue;
      const tensor = tensors[nameFromTorch(name.slice("norm.".length))]!;
      expect(relativeError([norm(tensor)], data), name).toBeLessThan(TRAINED_TOLERANCE);
    }
    expectClose(tensors, fromTorch(goldenMhd, file, "after5."), TRAINED_TOLERANCE);
    expect(relativeError(await run.evaluate(batch), tensorOf(file, "eval.z").data)).toBeLessThan(TRAINED_TOLERANCE);
  });
});
