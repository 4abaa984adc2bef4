import { initialTrainState, UsageError } from "@gmc/core";
import { randomInputs, relativeError } from "@gmc/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { classifierModel } from "./classifier.ts";
import { eagerEncode, eagerStep, useCpuBackend } from "./eager.testing.ts";
import { parameterTable } from "./parameter-table.ts";

beforeAll(useCpuBackend);

describe("classifierModel", () => {
  test("64-256-128-10 has 50,826 parameters in one part", () => {
    const model = classifierModel({ inputDim: 64, widths: [256, 128], classes: 10 });
    expect(parameterTable(model)).toEqual({ parts: [{ part: "classifier", parameters: 50_826 }], total: 50_826 });
  });

  test("the loss is log C for weights of zero, with the gradient (1/C - target)/b in the last bias", () => {
    const model = classifierModel({ inputDim: 3, widths: [4], classes: 5 });
    const weights = initialTrainState(model, 1);
    weights.parameters.fill(0);
    const inputs = randomInputs(model.inputs(6, "train"), 1);
    const { loss, gradients } = eagerStep(model, weights, [inputs], 6);
    expect(loss).toBeCloseTo(Math.log(5), 6);
    const expected = Array.from({ length: 5 }, (_, c) => {
      const count = inputs.target!.reduce((sum, value, i) => sum + (i % 5 === c ? value : 0), 0);
      return 1 / 5 - count / 6;
    });
    expect(relativeError(gradients["classifier.dense1.bias"]!, expected)).toBeLessThan(1e-6);
  });

  test("the loss is the mean of -log softmax of the logits that encode gives", () => {
    const model = classifierModel({ inputDim: 3, widths: [4, 6], classes: 2 });
    const weights = initialTrainState(model, 4);
    const inputs = randomInputs(model.inputs(7, "train"), 8);
    const { code, outputs } = eagerEncode(model, weights, inputs, 7, ["code"]);
    const logits = outputs.logits!;
    let expected = 0;
    for (let row = 0; row < 7; row++) {
      const [a, b] = [logits[2 * row]!, logits[2 * row + 1]!];
      const chosen = inputs.target![2 * row] === 1 ? a : b;
      expected += (Math.log(Math.exp(a) + Math.exp(b)) - chosen) / 7;
    }
    expect(eagerStep(model, weights, [inputs], 7).loss).toBeCloseTo(expected, 6);
    expect(code).toEqual(inputs.code);
  });

  test("a width of zero, and a modality it does not know, are refused", () => {
    expect(() => classifierModel({ inputDim: 3, widths: [0], classes: 2 })).toThrow(/received \[3,0,2\]/);
    expect(() => classifierModel({ inputDim: 3, widths: [4], classes: 2 }).inputs(1, ["image"])).toThrow(UsageError);
  });
});
