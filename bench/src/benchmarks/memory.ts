import { inChild } from "../in-child.ts";
import type { BenchmarkResult } from "../result.ts";
import { againstBar } from "../result.ts";
import type { BenchmarkContext } from "./benchmark.ts";

/** What leaks, leaks a step: small batches give more steps a second. */
const BATCH = 16;
const FROM = 100;
const TO = 10_000;
const BAR_PERCENT = 2;

/** How far resident memory has moved between step 100 and step 10,000. */
export async function memoryBenchmark(context: BenchmarkContext): Promise<BenchmarkResult[]> {
  const { quick, cores, engine, untilMs, signal, say } = context;
  const limitMs = quick ? Math.max(0, untilMs - performance.now()) : Number.MAX_SAFE_INTEGER;
  if (!quick) say(`memory: ${grouped(TO)} steps, some minutes …`);
  const args = { threads: Math.min(cores, 2), batch: BATCH, shards: 1, from: FROM, to: TO, limitMs, engine };
  const { fromBytes, toBytes, lastStep } = await inChild("memory", args, signal);
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  say(`memory: ${megabytes(fromBytes)} at step ${FROM}, ${megabytes(toBytes)} at step ${grouped(lastStep)}`);
  const value = 100 * (toBytes / fromBytes - 1);
  const name = `change of resident memory, step ${FROM} → ${grouped(lastStep)}, B=${BATCH}`;
  return [againstBar(name, { value, unit: "%", bar: `± ${BAR_PERCENT} %`, holds: Math.abs(value) <= BAR_PERCENT })];
}

const grouped = (count: number): string => count.toLocaleString("en-US");
