import { tensorLayout, tensorViews } from "@gmc/core";
import type { EngineConfig } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import type { TensorFile } from "@gmc/testkit";
import {
  fixturePath,
  fromTorch,
  goldenMhd,
  goldenMhdModel,
  goldenSmall,
  goldenSmallModel,
  nameFromTorch,
  readTensorFile,
  relativeError,
  scalarOf,
  sharedPath,
  tensorOf,
} from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { movedBuffers } from "./compiled-step.ts";
import { expectClose, GoldenRun } from "./golden-run.ts";

/** The project's bar for the loss and every parameter's gradient, against float64. */
const GRADIENT_TOLERANCE = 1e-5;
/** After five Adam steps, which divide by tiny second moments and so enlarge rounding. */
const TRAINED_TOLERANCE = 1e-4;

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

const large = {
  step: sharedPath("golden/train-step.safetensors"),
  shards: sharedPath("golden/train-step-4-shards.safetensors"),
  adam: sharedPath("golden/five-adam-steps.safetensors"),
  buffers: sharedPath("golden/running-buffers-4-shards.safetensors"),
};
const absent = Object.values(large).includes(undefined);
const suffix = absent ? " (skipped: the golden files are not in GMC_SHARED or ../shared)" : "";

/** A step and five of them with the small model, from a golden file's weights and batch, compared with float64. */
export function describeSmallGolden(
  engine: string,
  config: Partial<EngineConfig> = {},
  shardCounts: readonly number[] = [1, 4],
): void {
  describe.each(shardCounts)(`${engine}, the small golden model in shards: %i`, (shards) => {
    const file = readTensorFile(fixturePath("small-model.safetensors"));
    const batch = 12;
    let run: GoldenRun;
    beforeAll(async () => {
      run = await GoldenRun.open(await goldenSmallModel(buildModel), goldenSmall, file, config);
    });
    afterAll(() => run?.replica.close());

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
}

/** What every engine computes from the golden files' weights and batches, compared with what float64 gave for them. */
export function describeGolden(engine: string, config: Partial<EngineConfig> = {}): void {
  describeSmallGolden(engine, config);

  describe.skipIf(absent)(`${engine}, the MHD model, 2.9 million parameters${suffix}`, () => {
    const batch = 16;
    let run: GoldenRun;
    const read = (name: keyof typeof large): TensorFile => readTensorFile(large[name]!);
    beforeAll(async () => {
      run = await GoldenRun.open(await goldenMhdModel(buildModel), goldenMhd, read("step"), config);
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
}
