import type { Model } from "@gmc/core";
import { initialTrainState } from "@gmc/core";
import { randomInputs, supervisedContractModel, variationalContractModel } from "@gmc/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { eagerEncode, eagerStep, useCpuBackend } from "./eager.testing.ts";

beforeAll(useCpuBackend);

const models: [string, Model][] = [
  ["supervised, contrastive, dropout and noise", supervisedContractModel()],
  ["variational, nothing contrasted", variationalContractModel()],
];

describe.each(models)("the contract holds a model that is %s", (_, model) => {
  const rows = 6;
  const step = (inputSeed: number) =>
    eagerStep(model, initialTrainState(model, 2), [randomInputs(model.inputs(rows, "train"), inputSeed)], rows);

  test("it trains: a finite loss, and a finite gradient that is not zero for every parameter", () => {
    const { loss, gradients } = step(1);
    expect(Number.isFinite(loss)).toBe(true);
    for (const [name, gradient] of Object.entries(gradients)) {
      expect(gradient.every(Number.isFinite), name).toBe(true);
      expect(Math.hypot(...gradient), name).toBeGreaterThan(0);
    }
  });

  test("it gives embeddings where it contrasts, and one statistic a buffer", () => {
    const { embeddings, statistics } = step(1);
    expect(embeddings !== undefined).toBe(model.contrastive !== undefined);
    expect(Object.keys(statistics[0]!).sort()).toEqual(model.buffers.map(({ name }) => name).sort());
  });

  test("masks and noise are inputs: the same ones give the same bits", () => {
    expect(step(1)).toEqual(step(1));
    const specs = model.inputs(rows, "train");
    const drawn = specs.filter(({ source }) => source.kind === "mask" || source.kind === "noise");
    expect(drawn.length).toBeGreaterThan(0);
    for (const spec of drawn) {
      const inputs = { ...randomInputs(specs, 1), ...randomInputs([spec], 9) };
      expect(eagerStep(model, initialTrainState(model, 2), [inputs], rows).loss, spec.name).not.toBe(step(1).loss);
    }
  });

  test("it encodes from every modality and from all", () => {
    for (const present of [...model.modalities.map((name) => [name]), model.modalities]) {
      const inputs = randomInputs(model.inputs(rows, present), 1);
      const { code, outputs } = eagerEncode(model, initialTrainState(model, 2), inputs, rows, present);
      expect(code.every(Number.isFinite)).toBe(true);
      expect(Object.keys(outputs)).toHaveLength(1);
    }
  });
});
