import { initialTrainState } from "@gmc/core";
import { expect, test } from "vitest";
import { linearModel } from "./linear-replica.testing.ts";
import { markerOf } from "./step-group.ts";

test.each([
  [0, 0, null],
  [1, 0, { step: 1, phase: "trained" }],
  [5, 0, { step: 5, phase: "trained" }],
  [5, 1, { step: 5, phase: "validated" }],
  [6, 1, { step: 6, phase: "trained" }],
  [10, 1, { step: 10, phase: "trained" }],
  [10, 2, { step: 10, phase: "validated" }],
])("after step %i of epochs of 5, %i of them closed, the last marker is %j", (step, closed, marker) => {
  const state = initialTrainState(linearModel, 1);
  const progress = { ...state.progress, epochLosses: new Array<number>(closed).fill(1) };
  expect(markerOf({ step, progress }, 5)).toEqual(marker);
});
