import { expect, test } from "vitest";
import { meter } from "./meter.ts";

test("loss and speed are those of the window's last steps", () => {
  const recent = meter(1000, 3);
  expect(recent.recentLoss()).toBeNaN();
  expect(recent.secondsPerStep()).toBe(0);
  recent.add(10, 64, 3000);
  expect([recent.recentLoss(), recent.samplesPerSecond(), recent.secondsPerStep()]).toEqual([10, 32, 2]);
  for (const [i, loss] of [1, 2, 3, 4, 5].entries()) recent.add(loss, 64, 3500 + 500 * i);
  expect([recent.recentLoss(), recent.samplesPerSecond(), recent.secondsPerStep()]).toEqual([4, 128, 0.5]);
});

test("the window is exact after many turns", () => {
  const recent = meter(0, 4);
  for (let step = 1; step <= 1001; step++) recent.add(step, 8, step * 250);
  expect([recent.recentLoss(), recent.samplesPerSecond(), recent.secondsPerStep()]).toEqual([999.5, 32, 0.25]);
});
