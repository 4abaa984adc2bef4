import { coreShares, workerEnvironment } from "@gmc/worker";
import { inChild } from "../in-child.ts";
import { timePeer } from "../peer.ts";
import { openBenchServers } from "../redis-group.ts";
import type { BenchmarkResult } from "../result.ts";
import { aboveBar, againstBar } from "../result.ts";
import type { Side } from "../rounds.ts";
import { interleave } from "../rounds.ts";
import { median } from "../statistics.ts";
import type { BenchmarkContext } from "./benchmark.ts";
import { redisMissing } from "./redis-missing.ts";

const WORKERS = 2;
/** Measured on each side in one round: some seven seconds of one process. */
const SAMPLES = 3840;
/** Global batch; samples/s against one process, and against the peer's two. */
const BARS = [
  { batch: 64, single: 1.25, peer: 1.05 },
  { batch: 256, single: 1.6, peer: 1.1 },
] as const;

/** Two workers over Redis, one thread each, against one process with one thread, and against torch's DDP over gloo with two. */
export async function clusterBenchmark(context: BenchmarkContext): Promise<BenchmarkResult[]> {
  const { cores, rounds, untilMs, signal, say } = context;
  const missing = cores < WORKERS ? "this machine has one core" : redisMissing();
  if (missing) {
    say(`cluster: ${missing}.`);
    return [];
  }
  const results: BenchmarkResult[] = [];
  for (const [i, bar] of BARS.entries()) {
    const startMs = performance.now();
    const values = await interleave(sidesOf(context, bar.batch), {
      rounds,
      untilMs: startMs + (untilMs - startMs) / (BARS.length - i),
      signal,
      onValue: (side, round, ms) =>
        say(
          `cluster: round ${round}/${rounds}, B=${bar.batch}, ${side}: ${((1000 * bar.batch) / ms).toFixed(0)} samples/s`,
        ),
    });
    results.push(...resultsOf(bar, values));
  }
  if (results.length < BARS.length) say("cluster: the time was over before the first round was complete.");
  return results;
}

function sidesOf({ quick, peer, engine, signal }: BenchmarkContext, batch: number): Side[] {
  // A run's JavaScript is compiled while its first steps are made; runs have thousands.
  const length = quick ? { steps: 4, warmup: 2 } : { steps: Math.ceil(SAMPLES / batch), warmup: 20 };
  const step = { threads: 1, batch, engine, ...length };
  const sides: Side[] = [
    { name: "one process", measure: async () => (await inChild("step", { ...step, shards: 1 }, signal)).msPerStep },
    { name: "two workers", measure: () => twoWorkers({ ...step, shards: WORKERS }, signal) },
  ];
  if (!peer) return sides;
  return [...sides, { name: "torch DDP", measure: () => timePeer(peer, { ...step, workers: WORKERS }, signal) }];
}

async function twoWorkers(step: Parameters<typeof inChild<"step">>[1], signal: AbortSignal): Promise<number> {
  const servers = await openBenchServers(WORKERS);
  try {
    const shares = coreShares(WORKERS, step.threads); // as `gmc cluster up` starts its workers
    const env = workerEnvironment(step.threads);
    const times = await Promise.all(
      servers.seats.map((seat) => inChild("member", { seat, ...step }, signal, { cores: shares?.[seat.rank], env })),
    );
    return Math.max(...times.map(({ msPerStep }) => msPerStep));
  } finally {
    await servers.close();
  }
}

function resultsOf(
  { batch, single, peer }: (typeof BARS)[number],
  values: Readonly<Record<string, readonly number[]>>,
): BenchmarkResult[] {
  const speed = (side: string): number | null => (values[side]?.length ? (1000 * batch) / median(values[side]) : null);
  const [one, two, torch] = [speed("one process"), speed("two workers"), speed("torch DDP")];
  if (one === null || two === null) return [];
  const name = `samples/s of ${WORKERS} workers over Redis against`;
  const value = two / one;
  return [
    againstBar(`${name} 1 process, B=${batch}`, { value, unit: "×", bar: `≥ ${single}`, holds: value >= single }),
    aboveBar(`${name} torch DDP, B=${batch}`, { value: two, unit: "samples/s", peer: torch, factor: peer }),
  ];
}
