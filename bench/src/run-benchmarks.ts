import type { Benchmark, BenchmarkContext } from "./benchmarks/benchmark.ts";
import { clusterBenchmark } from "./benchmarks/cluster.ts";
import { enginesBenchmark } from "./benchmarks/engines.ts";
import { gradientBenchmark } from "./benchmarks/gradient.ts";
import { memoryBenchmark } from "./benchmarks/memory.ts";
import { recoveryBenchmark } from "./benchmarks/recovery.ts";
import { reduceBenchmark } from "./benchmarks/reduce.ts";
import { replicasBenchmark } from "./benchmarks/replicas.ts";
import { stepBenchmark } from "./benchmarks/step.ts";
import type { BenchmarkName } from "./options.ts";
import type { BenchmarkResult } from "./result.ts";

/** The benchmarks, and how a limited time is shared among them. */
const BENCHMARKS: Readonly<Record<BenchmarkName, { readonly run: Benchmark; readonly share: number }>> = {
  gradient: { run: gradientBenchmark, share: 1 },
  step: { run: stepBenchmark, share: 6 },
  replicas: { run: replicasBenchmark, share: 3 },
  reduce: { run: reduceBenchmark, share: 2 },
  cluster: { run: clusterBenchmark, share: 6 },
  engines: { run: enginesBenchmark, share: 2 },
  recovery: { run: recoveryBenchmark, share: 2 },
  memory: { run: memoryBenchmark, share: 2 },
};

/**
 * The results of the named benchmarks, one after another. When `signal` aborts, what was measured until then.
 *
 * @param endMs  when all should be done, in milliseconds of `performance.now()`
 */
export async function runBenchmarks(
  names: readonly BenchmarkName[],
  context: Omit<BenchmarkContext, "untilMs">,
  endMs: number,
): Promise<BenchmarkResult[]> {
  const results: BenchmarkResult[] = [];
  for (const [i, name] of names.entries()) {
    const rest = names.slice(i).reduce((sum, other) => sum + BENCHMARKS[other].share, 0);
    const startMs = performance.now();
    const untilMs = startMs + ((endMs - startMs) * BENCHMARKS[name].share) / rest;
    try {
      results.push(...(await BENCHMARKS[name].run({ ...context, untilMs })));
    } catch (error) {
      if (!context.signal.aborted) throw error;
      context.say(`${name}: the time was over before it had a result.`);
    }
  }
  return results;
}
