import type { TrainingConfig } from "./config.ts";

/**
 * Learning rate of one step, from elementary arithmetic alone: the same bits in every version of V8.
 *
 * @param step        steps committed before this one, from 0
 * @param totalSteps  steps of the whole run
 */
export function learningRateAt(
  { optimizer: { learningRate }, schedule }: Pick<TrainingConfig, "optimizer" | "schedule">,
  step: number,
  totalSteps: number,
): number {
  if (schedule.kind === "constant") return learningRate;
  const { warmupSteps, finalFraction } = schedule;
  if (step < warmupSteps) return (learningRate * (step + 1)) / (warmupSteps + 1);
  const fallSteps = totalSteps - 1 - warmupSteps;
  const progress = fallSteps > 0 ? Math.min((step - warmupSteps) / fallSteps, 1) : 0; // 0 at the peak, 1 at the last step
  return learningRate * (finalFraction + (1 - finalFraction) * halfCosine(progress));
}

/** (1 + cos πt) / 2 for t in [0, 1], to 2e-16: Math.cos differs between versions of V8, a Taylor series does not. */
function halfCosine(t: number): number {
  const x = Math.PI * (0.5 - t); // cos πt = sin x, x in [-π/2, π/2]
  let term = x;
  let sine = x;
  for (let n = 3; n <= 23; n += 2) {
    term *= (-x * x) / ((n - 1) * n);
    sine += term;
  }
  return Math.min(Math.max((1 + sine) / 2, 0), 1);
}
