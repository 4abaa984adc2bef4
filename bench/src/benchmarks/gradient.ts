import { inChild } from "../in-child.ts";
import type { BenchmarkResult } from "../result.ts";
import { againstBar } from "../result.ts";
import type { BenchmarkContext } from "./benchmark.ts";

const BAR = 1e-5;

/** Every parameter's gradient against a float64 reference. */
export async function gradientBenchmark({ engine, signal, say }: BenchmarkContext): Promise<BenchmarkResult[]> {
  const { error, parameter, model } = await inChild("gradient", { engine }, signal);
  say(`gradient: the largest error is that of ${parameter}, ${error.toExponential(2)}`);
  const name = `largest gradient error against float64, ${model}`;
  return [againstBar(name, { value: error, unit: "", bar: "≤ 1e-5", holds: error <= BAR })];
}
