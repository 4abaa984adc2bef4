import { expect, test } from "vitest";
import { TrainingConfig } from "./config.ts";
import { learningRateAt } from "./schedule.ts";

const config = (schedule: object) => TrainingConfig.parse({ optimizer: { learningRate: 0.01 }, schedule });

test("a constant schedule gives the peak rate at every step", () => {
  for (const step of [0, 1, 99]) expect(learningRateAt(config({ kind: "constant" }), step, 100)).toBe(0.01);
});

test("a warm-up rises linearly and is never 0, the peak follows it, the last step has the final fraction", () => {
  const cosine = config({ kind: "cosine", warmupSteps: 4, finalFraction: 0.1 });
  const rates = Array.from({ length: 25 }, (_, step) => learningRateAt(cosine, step, 25));
  for (const [step, share] of [0.2, 0.4, 0.6, 0.8, 1].entries()) expect(rates[step]).toBeCloseTo(0.01 * share, 15);
  expect(rates[24]).toBeCloseTo(0.001, 15);
  expect(learningRateAt(cosine, 30, 25)).toBeCloseTo(0.001, 15);
  for (let step = 5; step < 25; step++) expect(rates[step]).toBeLessThan(rates[step - 1]!);
});

test("the fall is half a cosine to 1e-15", () => {
  const cosine = config({ kind: "cosine" });
  for (let step = 0; step <= 1000; step++) {
    expect(
      Math.abs(learningRateAt(cosine, step, 1001) / 0.01 - (1 + Math.cos((Math.PI * step) / 1000)) / 2),
    ).toBeLessThan(1e-15);
  }
});

test("a run that is shorter than its warm-up, or of one step, has rates above 0", () => {
  for (const [warmupSteps, totalSteps] of [
    [10, 3],
    [0, 1],
    [1, 2],
  ]) {
    const cosine = config({ kind: "cosine", warmupSteps });
    for (let step = 0; step < totalSteps!; step++) expect(learningRateAt(cosine, step, totalSteps!)).toBeGreaterThan(0);
  }
});
