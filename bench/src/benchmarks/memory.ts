import { inChild } from "../in-child.ts";
import type { BenchmarkResult } from "../result.ts";
import { againstBar } from "../result.ts";
import type { BenchmarkContext } from "./benchmark.ts";

/** What leaks, leaks a step: small batches give more steps a second. */
const BATCH = 16;
const FROM = 100;
const TO = 10_000;
const BAR_PERCENT = 2;

/**
 * How far resident memory has grown by step 10,000, from the lowest since step 100: what compiling needed is given back
 * slowly, and against step 100 itself that would hide a leak.
 */
export async function memoryBenchmark(context: BenchmarkContext): Promise<BenchmarkResult[]> {
  const { quick, engine, untilMs, signal, say } = context;
  const limitMs = quick ? Math.max(0, 0.8 * (untilMs - performance.now())) : Number.MAX_SAFE_INTEGER;
  if (!quick) say(`memory: ${grouped(TO)} steps, some minutes …`);
  const args = { threads: 1, batch: BATCH, shards: 1, from: FROM, to: TO, limitMs, engine };
  const { fromBytes, lowestBytes, lastBytes, lastStep } = await inChild("memory", args, signal);
  const [first, lowest, last] = [fromBytes, lowestBytes, lastBytes].map((bytes) => `${(bytes / 1e6).toFixed(1)} MB`);
  say(`memory: ${first} at step ${FROM}, ${lowest} at the lowest since, ${last} at step ${grouped(lastStep)}`);
  const value = 100 * (lastBytes / lowestBytes - 1);
  const name = `growth of resident memory, step ${FROM} → ${grouped(lastStep)}, B=${BATCH}`;
  return [againstBar(name, { value, unit: "%", bar: `≤ ${BAR_PERCENT} %`, holds: value <= BAR_PERCENT })];
}

const grouped = (count: number): string => count.toLocaleString("en-US");
