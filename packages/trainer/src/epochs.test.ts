import type { TrainProgress } from "@gmc/core";
import { expect, test } from "vitest";
import { addStep, closeEpoch, finalLoss, outOfPatience } from "./epochs.ts";

const START: TrainProgress = { epochLossSum: 0, epochLosses: [], best: null };

test("an epoch's loss is the mean of its steps", () => {
  const closed = closeEpoch(addStep(addStep(START, 3), 1), 2, undefined);
  expect(closed).toEqual({
    loss: 2,
    improved: true,
    progress: { epochLossSum: 0, epochLosses: [2], best: { loss: 2, epoch: 1 } },
  });
});

test("with validation its loss decides which epoch is the best", () => {
  const first = closeEpoch(addStep(START, 2), 1, 5).progress;
  const second = closeEpoch(addStep(first, 1), 1, 6);
  expect(second.improved).toBe(false);
  expect(second.progress).toEqual({ epochLossSum: 0, epochLosses: [2, 1], best: { loss: 5, epoch: 1 } });
});

test("patience runs out after that many epochs without a lower loss, and never when it is 0", () => {
  let progress = START;
  const stops: boolean[] = [];
  for (const loss of [3, 2, 2, 2.5, 1]) {
    progress = closeEpoch(addStep(progress, loss), 1, undefined).progress;
    stops.push(outOfPatience(progress, 2));
    expect(outOfPatience(progress, 0)).toBe(false);
  }
  expect(stops).toEqual([false, false, false, true, false]);
});

test("the final loss is the last epoch's, or the mean so far, or null", () => {
  expect(finalLoss(START, 0)).toBeNull();
  expect(finalLoss(addStep(addStep(START, 3), 1), 2)).toBe(2);
  expect(finalLoss({ epochLossSum: 7, epochLosses: [4, 3], best: null }, 9)).toBe(3);
});
