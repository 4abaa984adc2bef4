import { findBinding } from "@gmc/engine";
import { inChild } from "../in-child.ts";
import type { BenchmarkResult } from "../result.ts";
import { sideBySide } from "../result.ts";
import { interleave } from "../rounds.ts";
import { median } from "../statistics.ts";
import type { BenchmarkContext } from "./benchmark.ts";

const BATCH = 64;

/** One training step on TensorFlow beside the same on onnxruntime, on the CPU. */
export async function enginesBenchmark(context: BenchmarkContext): Promise<BenchmarkResult[]> {
  const { quick, cores, rounds, untilMs, signal, say } = context;
  const place = findBinding("@tensorflow/tfjs-node");
  if (place.folder === undefined) {
    say("engines: TensorFlow is not here to be compared; npm run setup:tensorflow gets it.");
    return [];
  }
  const length = quick ? { steps: 5, warmup: 2 } : { steps: 15, warmup: 4 };
  const side = (kind: "tensorflow" | "onnxruntime", threads: number) => ({
    name: `${kind}, ${threads}`,
    measure: async () =>
      (await inChild("step", { threads, batch: BATCH, shards: 1, engine: { kind }, ...length }, signal)).msPerStep,
  });
  const threads = cores > 1 && !quick ? [1, 2] : [1];
  const values = await interleave(
    threads.flatMap((count) => [side("tensorflow", count), side("onnxruntime", count)]),
    {
      rounds,
      untilMs,
      signal,
      onValue: (name, round, ms) => say(`engines: round ${round}/${rounds}, ${name} threads: ${ms.toFixed(1)} ms`),
    },
  );
  return threads.flatMap((count) => {
    const [ours = [], peer = []] = [values[`tensorflow, ${count}`], values[`onnxruntime, ${count}`]];
    if (ours.length === 0 || peer.length === 0) return [];
    const name = `one training step on TensorFlow, B=${BATCH}, ${count} ${count === 1 ? "thread" : "threads"} (peer: onnxruntime)`;
    return [sideBySide(name, { value: median(ours), unit: "ms", peer: median(peer) })];
  });
}
