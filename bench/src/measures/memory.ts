import { trainStep } from "@gmc/trainer";
import { median } from "../statistics.ts";
import type { TrainingArguments } from "../training.ts";
import { openTraining, RULE } from "../training.ts";

export interface MemoryArguments extends TrainingArguments {
  /** The step to compare with. */
  readonly from: number;
  /** The last step. */
  readonly to: number;
  /** Stops earlier when this time has passed. */
  readonly limitMs: number;
}

export interface MemoryMeasure {
  readonly fromBytes: number;
  readonly toBytes: number;
  /** The last step that was taken. */
  readonly lastStep: number;
}

/** Steps whose median is taken on both sides: the garbage collector moves single values up and down. */
const WINDOW = 50;

/** Resident memory of the process right after step `from` and at the last one. */
export async function measureMemory({ from, to, limitMs, ...setup }: MemoryArguments): Promise<MemoryMeasure> {
  const started = performance.now();
  const training = await openTraining(setup);
  const bytes: number[] = [];
  let step = 0;
  while (step < to && (step < from + 2 * WINDOW || performance.now() - started < limitMs)) {
    await trainStep(training.context, training.batch(step), RULE);
    step++;
    if (step >= from) bytes.push(process.memoryUsage.rss());
  }
  await training.close();
  return { fromBytes: median(bytes.slice(0, WINDOW)), toBytes: median(bytes.slice(-WINDOW)), lastStep: step };
}
