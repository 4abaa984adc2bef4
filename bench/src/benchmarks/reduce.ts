import { coreShares } from "@gmc/worker";
import { inChild } from "../in-child.ts";
import { openBenchServers } from "../redis-group.ts";
import type { BenchmarkResult } from "../result.ts";
import { againstBar } from "../result.ts";
import { interleave } from "../rounds.ts";
import { median } from "../statistics.ts";
import type { BenchmarkContext } from "./benchmark.ts";
import { redisMissing } from "./redis-missing.ts";

const WORKERS = 2;
const BAR = 3;

/** Processor time of a reduction, two workers and both servers together, a MB reduced. */
export async function reduceBenchmark({
  quick,
  rounds,
  untilMs,
  signal,
  say,
}: BenchmarkContext): Promise<BenchmarkResult[]> {
  const missing = redisMissing();
  if (missing) {
    say(`reduce: ${missing}.`);
    return [];
  }
  const length = quick ? { steps: 20, warmup: 5 } : { steps: 300, warmup: 100 };
  const measure = async (): Promise<number> => {
    const servers = await openBenchServers(WORKERS);
    try {
      const beforeMs = await servers.cpuMs();
      const shares = coreShares(WORKERS, 1); // as `gmc cluster up` starts its workers
      const workers = await Promise.all(
        servers.seats.map((seat) => inChild("reduce", { seat, ...length }, signal, { cores: shares?.[seat.rank] })),
      );
      const serversMs = ((await servers.cpuMs()) - beforeMs) / (length.steps + length.warmup);
      const workersMs = workers.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
      return (workersMs + serversMs) / (workers[0]?.megabytes ?? Number.NaN);
    } finally {
      await servers.close();
    }
  };
  const { reduce } = await interleave([{ name: "reduce" as const, measure }], {
    rounds,
    untilMs,
    signal,
    onValue: (_, round, value) => say(`reduce: round ${round}/${rounds}: ${value.toFixed(2)} core-ms a MB`),
  });
  if (reduce.length === 0) return [];
  const value = median(reduce);
  const name = `a reduction over Redis, ${WORKERS} workers, all processes together`;
  return [againstBar(name, { value, unit: "core-ms/MB", bar: `≤ ${BAR}`, holds: value <= BAR })];
}
