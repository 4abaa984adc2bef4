import { trainStep } from "@gmc/trainer";
import type { Seat } from "../redis-group.ts";
import { joinGroup } from "../redis-group.ts";
import { median } from "../statistics.ts";
import { openTraining, RULE } from "../training.ts";
import type { StepArguments, StepMeasure } from "./step.ts";

export interface MemberArguments extends StepArguments {
  readonly seat: Seat;
}

/** Times whole training steps of one worker of a group over Redis, commits included; the others run beside it. */
export async function measureMember({ seat, steps, warmup, ...setup }: MemberArguments): Promise<StepMeasure> {
  const group = await joinGroup(seat);
  const training = await openTraining(setup, { group });
  const times: number[] = [];
  for (let step = 0; step < warmup + steps; step++) {
    const batch = training.batch(step);
    const started = performance.now();
    await trainStep(training.context, batch, RULE);
    if (step >= warmup) times.push(performance.now() - started);
  }
  await training.context.released;
  await training.close();
  await group.close();
  return { msPerStep: median(times) };
}
