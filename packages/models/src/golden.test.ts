import type { Model } from "@gmc/core";
import type { GoldenModel, TensorFile } from "@gmc/testkit";
import {
  fixturePath,
  fromTorch,
  goldenInputs,
  goldenSmall,
  goldenSmallModel,
  packTensors,
  readTensorFile,
  relativeError,
  scalarOf,
  tensorOf,
} from "@gmc/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { buildModel } from "./build-model.ts";
import { eagerEncode, eagerStep, useCpuBackend } from "./eager.testing.ts";

/** Of the float64 reference: the project's bar for every gradient. Seen here: 1.4e-6 at most. */
const GRADIENT_TOLERANCE = 1e-5;
/** After five Adam steps, which divide by tiny second moments and so enlarge rounding. */
const TRAINED_TOLERANCE = 1e-4;

beforeAll(useCpuBackend);

const file = readTensorFile(fixturePath("small-model.safetensors"));
const batch = 12;
let model: Model;
beforeAll(async () => {
  model = await goldenSmallModel(buildModel);
});

const weightsFrom = (golden: GoldenModel, stored: TensorFile, prefix: string) => {
  const tensors = fromTorch(golden, stored, prefix);
  return { parameters: packTensors(model.parameters, tensors), buffers: packTensors(model.buffers, tensors) };
};

const shardInputs = (shards: number) =>
  Array.from({ length: shards }, (_, v) =>
    goldenInputs(goldenSmall, file, { start: (v * batch) / shards, end: ((v + 1) * batch) / shards }),
  );

describe.each([1, 4])("the small golden model in shards: %i", (shards) => {
  test("embeddings, loss and every gradient are the reference's", () => {
    const step = eagerStep(model, weightsFrom(goldenSmall, file, "param."), shardInputs(shards), batch / shards);
    const reference = fromTorch(goldenSmall, file, `shards${shards}.grad.`);
    expect(Object.keys(step.gradients).sort()).toEqual(Object.keys(reference).sort());
    const errors = {
      z: relativeError(step.embeddings ?? [], tensorOf(file, `shards${shards}.z`).data),
      loss: relativeError([step.loss], [scalarOf(file, `shards${shards}.loss`)]),
      ...Object.fromEntries(
        Object.entries(step.gradients).map(([name, gradient]) => [
          name,
          relativeError(gradient, reference[name] ?? []),
        ]),
      ),
    };
    for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThan(GRADIENT_TOLERANCE);
  });

  test("five Adam steps end at the reference's losses, weights and running statistics", () => {
    const weights = weightsFrom(goldenSmall, file, "param.");
    const moments = {
      first: new Float64Array(weights.parameters.length),
      second: new Float64Array(weights.parameters.length),
    };
    const losses: number[] = [];
    for (let step = 1; step <= 5; step++) {
      const { loss, gradients, statistics } = eagerStep(model, weights, shardInputs(shards), batch / shards);
      losses.push(loss);
      adam(weights.parameters, packTensors(model.parameters, gradients), moments, step);
      const observed = statistics.map((shard) => packTensors(model.buffers, shard));
      weights.buffers = weights.buffers.map(
        (old, i) => 0.9 * old + 0.1 * (observed.reduce((sum, shard) => sum + (shard[i] ?? 0), 0) / shards),
      );
    }
    expect(relativeError(losses, tensorOf(file, `shards${shards}.losses`).data)).toBeLessThan(GRADIENT_TOLERANCE);
    const after = weightsFrom(goldenSmall, file, `shards${shards}.after5.`);
    expect(relativeError(weights.parameters, after.parameters)).toBeLessThan(TRAINED_TOLERANCE);
    expect(relativeError(weights.buffers, after.buffers)).toBeLessThan(TRAINED_TOLERANCE);
  });

  test("evaluation uses the running buffers: codes after five steps are the reference's", () => {
    const z = tensorOf(file, `shards${shards}.eval.z`).data;
    const size = z.length / (model.modalities.length + 1);
    for (const [i, present] of [...model.modalities.map((name) => [name]), model.modalities].entries()) {
      const trained = weightsFrom(goldenSmall, file, `shards${shards}.after5.`);
      const { code } = eagerEncode(model, trained, goldenInputs(goldenSmall, file), batch, present);
      expect(relativeError(code, z.subarray(i * size, (i + 1) * size)), present.join("+")).toBeLessThan(
        GRADIENT_TOLERANCE,
      );
    }
  });
});

/** One Adam step in place: rate 1e-3, betas 0.9 and 0.999, epsilon 1e-8. */
function adam(
  parameters: Float32Array,
  gradient: Float32Array,
  { first, second }: { first: Float64Array; second: Float64Array },
  step: number,
): void {
  for (let i = 0; i < parameters.length; i++) {
    const g = gradient[i]!;
    first[i] = 0.9 * first[i]! + 0.1 * g;
    second[i] = 0.999 * second[i]! + 0.001 * g * g;
    const scale = Math.sqrt(second[i]! / (1 - 0.999 ** step)) + 1e-8;
    parameters[i] = parameters[i]! - (1e-3 * first[i]!) / (1 - 0.9 ** step) / scale;
  }
}
