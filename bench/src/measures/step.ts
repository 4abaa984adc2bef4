import { trainStep } from "@gmc/trainer";
import { median } from "../statistics.ts";
import type { TrainingArguments } from "../training.ts";
import { openTraining, RULE } from "../training.ts";

export interface StepArguments extends TrainingArguments {
  readonly steps: number;
  readonly warmup: number;
}

export interface StepMeasure {
  /** Median over the steps. */
  readonly msPerStep: number;
}

/** Times whole training steps: copying the batch, forward, global loss, backward, Adam. */
export async function measureStep({ steps, warmup, ...setup }: StepArguments): Promise<StepMeasure> {
  const training = await openTraining(setup);
  const times: number[] = [];
  for (let step = 0; step < warmup + steps; step++) {
    const batch = training.batch(step);
    const started = performance.now();
    await trainStep(training.context, batch, RULE);
    if (step >= warmup) times.push(performance.now() - started);
  }
  await training.close();
  return { msPerStep: median(times) };
}
