import { inChild } from "../in-child.ts";
import type { BenchmarkResult } from "../result.ts";
import { againstBar } from "../result.ts";
import { interleave } from "../rounds.ts";
import { median } from "../statistics.ts";
import type { BenchmarkContext } from "./benchmark.ts";

const BATCH = 256;
const BAR = 1.85;

/** How many times the samples a second of one replica two local ones give, each on one thread. */
export async function replicasBenchmark(context: BenchmarkContext): Promise<BenchmarkResult[]> {
  const { quick, cores, rounds, untilMs, engine, signal, say } = context;
  if (cores < 2) {
    say("replicas: this machine has one core.");
    return [];
  }
  const length = quick ? { steps: 4, warmup: 2 } : { steps: 10, warmup: 3 };
  const side = (replicas: number) => ({
    name: replicas === 1 ? ("one" as const) : ("two" as const),
    measure: async () => {
      const args = { threads: replicas, batch: BATCH, shards: replicas, engine: { ...engine, replicas }, ...length };
      return (await inChild("step", args, signal)).msPerStep;
    },
  });
  const { one, two } = await interleave([side(1), side(2)], {
    rounds,
    untilMs,
    signal,
    onValue: (name, round, ms) =>
      say(`replicas: round ${round}/${rounds}, ${name}: ${((1000 * BATCH) / ms).toFixed(0)} samples/s`),
  });
  if (two.length === 0) {
    say("replicas: the time was over before the first round was complete.");
    return [];
  }
  const value = median(one) / median(two);
  const name = `samples/s of 2 local replicas against 1, B=${BATCH}`;
  return [againstBar(name, { value, unit: "×", bar: `≥ ${BAR}`, holds: value >= BAR })];
}
