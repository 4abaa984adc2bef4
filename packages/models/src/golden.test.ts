import type { Model } from "@gmc/core";
import {
  fixturePath,
  fromTorch,
  goldenInputs,
  goldenMhd,
  goldenMhdModel,
  goldenSmall,
  goldenSmallModel,
  packTensors,
  readTensorFile,
  relativeError,
  scalarOf,
  sharedPath,
  tensorOf,
} from "@gmc/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { buildModel } from "./build-model.ts";
import { eagerEncode, eagerStep, useCpuBackend } from "./eager.testing.ts";

/** Of the float64 reference: the project's bar for every gradient (DESIGN, section 8). */
const TOLERANCE = 1e-5;

beforeAll(useCpuBackend);

describe("the small golden model", () => {
  const file = readTensorFile(fixturePath("small-model.safetensors"));
  const batch = 12;
  let model: Model;
  let weights: { parameters: Float32Array; buffers: Float32Array };
  beforeAll(async () => {
    model = await goldenSmallModel(buildModel);
    const stored = fromTorch(goldenSmall, file, "param.");
    weights = { parameters: packTensors(model.parameters, stored), buffers: packTensors(model.buffers, stored) };
  });

  test("embeddings, loss and every gradient of one shard are the reference's", () => {
    const step = eagerStep(model, weights, goldenInputs(goldenSmall, file), batch);
    const gradients = fromTorch(goldenSmall, file, "shards1.grad.");
    const errors = {
      z: relativeError(step.embeddings ?? [], tensorOf(file, "shards1.z").data),
      loss: relativeError([step.loss], [scalarOf(file, "shards1.loss")]),
      ...Object.fromEntries(
        model.parameters.map(({ name }) => [name, relativeError(step.gradients[name]!, gradients[name]!)]),
      ),
    };
    for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThan(TOLERANCE);
  });

  test("evaluation uses the running buffers: codes after five steps are the reference's", () => {
    const after = fromTorch(goldenSmall, file, "shards1.after5.");
    const trained = { parameters: packTensors(model.parameters, after), buffers: packTensors(model.buffers, after) };
    const inputs = goldenInputs(goldenSmall, file);
    const z = tensorOf(file, "shards1.eval.z").data;
    const size = z.length / 5;
    const cases = [...model.modalities.map((name) => [name]), model.modalities];
    for (const [i, present] of cases.entries()) {
      const { code } = eagerEncode(model, trained, inputs, batch, present);
      expect(relativeError(code, z.subarray(i * size, (i + 1) * size)), present.join("+")).toBeLessThan(TOLERANCE);
    }
  });
});
