import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { trainStep } from "@gmc/trainer";
import { median } from "../statistics.ts";
import type { TrainingArguments } from "../training.ts";
import { openTraining, RULE } from "../training.ts";

export interface MemoryArguments extends TrainingArguments {
  /** The step to compare with. */
  readonly from: number;
  /** The last step. */
  readonly to: number;
  /** Stops earlier to end within this time, if it suffices for both sides at all. */
  readonly limitMs: number;
}

/** Medians over 50 steps: single values move with the garbage collector. */
export interface MemoryMeasure {
  /** From step `from` on. */
  readonly fromBytes: number;
  /** The lowest since. */
  readonly lowestBytes: number;
  /** Until the last step. */
  readonly lastBytes: number;
  /** The last step that was taken. */
  readonly lastStep: number;
}

const WINDOW = 50;

/**
 * Resident memory of the process in windows of 50 steps. The first and the last begin with a full garbage collection; even
 * so, what tracing and compiling left behind is given back to the system over some hundred steps.
 */
export async function measureMemory({ from, to, limitMs, ...setup }: MemoryArguments): Promise<MemoryMeasure> {
  const endMs = performance.now() + limitMs;
  const training = await openTraining(setup);
  const collectGarbage = garbageCollector();
  const startedMs = performance.now();
  let step = 0;
  const train = () => trainStep(training.context, training.batch(step++), RULE);
  const residentBytes = async (): Promise<number> => {
    const bytes: number[] = [];
    while (bytes.length < WINDOW) {
      await train();
      bytes.push(process.memoryUsage.rss());
    }
    return median(bytes);
  };
  const windowsFit = (count: number): boolean => {
    const nowMs = performance.now();
    return step + count * WINDOW <= to && nowMs + (count * WINDOW * (nowMs - startedMs)) / step <= endMs;
  };
  while (step < from) await train();
  collectGarbage();
  const windows = [await residentBytes()];
  while (windowsFit(2)) windows.push(await residentBytes());
  collectGarbage();
  windows.push(await residentBytes());
  await training.close();
  const [fromBytes = Number.NaN] = windows;
  return { fromBytes, lowestBytes: Math.min(...windows), lastBytes: windows.at(-1) ?? Number.NaN, lastStep: step };
}

/** V8's full collection, which Node hides behind a flag. */
function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  return () => {
    collect();
    collect(); // memory outside the heap is freed after the first
  };
}
