import type { TrainState } from "@gmc/core";
import { DataError, initialTrainState } from "@gmc/core";
import { expect, test } from "vitest";
import { linearModel } from "./linear-replica.testing.ts";
import { packTrainState, unpackTrainState } from "./packed-state.ts";

const bits = (values: Float32Array): number[] => [...new Uint32Array(values.slice().buffer)];

test.each<TrainState["progress"]>([
  { epochLossSum: 0, epochLosses: [], best: null },
  { epochLossSum: 0.1 + 0.2, epochLosses: [1 / 3, 1e-300, 7], best: { loss: 1 / 3, epoch: 1 } },
])("a state comes back bit for bit, progress and powers exactly: %j", (progress) => {
  const state: TrainState = {
    step: 2 ** 40 + 1,
    parameters: new Float32Array(Uint32Array.of(0x7f800001, 0xffc12345, 0x80000000, 1).buffer),
    firstMoment: Float32Array.of(0.1, -0, 3, 4),
    secondMoment: Float32Array.of(1e-45, 2, 3, 4),
    buffers: Float32Array.of(5, 6, 7),
    beta1Power: 0.9 * 0.9 * 0.9,
    beta2Power: 1 - Number.EPSILON,
    progress,
  };
  const back = unpackTrainState(packTrainState(state), linearModel);
  expect(back).toEqual(state);
  for (const name of ["parameters", "firstMoment", "secondMoment", "buffers"] as const)
    expect(bits(back[name])).toEqual(bits(state[name]));
});

test("another model's state is refused, and so is what is none", () => {
  const packed = packTrainState(initialTrainState(linearModel, 1));
  const other = { parameters: linearModel.parameters, buffers: [] };
  expect(() => unpackTrainState(packed, other)).toThrow(DataError);
  expect(() => unpackTrainState(packed.subarray(1), linearModel)).toThrow(DataError);
  expect(() => unpackTrainState(new Float32Array(3), linearModel)).toThrow(/received version 0 and 3/);
});
