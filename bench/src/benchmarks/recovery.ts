import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCoordinator } from "@gmc/coordinator";
import { synthesiseDigits } from "@gmc/data";
import type { RunConfig } from "@gmc/experiment";
import { parseRunConfig } from "@gmc/experiment";
import { cancelJob, openQueue, submitTrain, watchJob } from "@gmc/jobs";
import { startRedis } from "@gmc/redis";
import { inChild } from "../in-child.ts";
import type { BenchmarkResult } from "../result.ts";
import { againstBar } from "../result.ts";
import type { BenchmarkContext } from "./benchmark.ts";
import { redisMissing } from "./redis-missing.ts";

const BAR_SECONDS = 10;
const GIVEN_UP_MS = 60_000;

/** How long a run of two workers stands still after one of them was killed, with the settings that users have. */
export async function recoveryBenchmark({ signal, say }: BenchmarkContext): Promise<BenchmarkResult[]> {
  const missing = redisMissing();
  if (missing) {
    say(`recovery: ${missing}.`);
    return [];
  }
  const dir = await mkdtemp(join(tmpdir(), "gmc-bench-"));
  const stop = new AbortController();
  const over = AbortSignal.any([signal, stop.signal]);
  try {
    await synthesiseDigits({ out: join(dir, "data"), train: 128, test: 8, seed: 1 });
    const seconds = await recover(dir, over);
    say(`recovery: trains on ${seconds.toFixed(2)} s after a worker's death`);
    const name = "from a worker's death to the next step of the other";
    return [againstBar(name, { value: seconds, unit: "s", bar: `< ${BAR_SECONDS} s`, holds: seconds < BAR_SECONDS })];
  } finally {
    stop.abort();
    await rm(dir, { recursive: true, force: true });
  }
}

async function recover(dir: string, signal: AbortSignal): Promise<number> {
  const redis = await startRedis({ dir: join(dir, "redis"), role: "control" });
  const coordinator = runCoordinator({ redis: redis.url });
  const victim = new AbortController();
  const start = (id: string, end: AbortSignal) => inChild("worker", { redis: redis.url, id }, end).catch(() => {}); // killed
  try {
    await coordinator.ready;
    start("victim", AbortSignal.any([signal, victim.signal]));
    start("survivor", signal);
    return await timeDeath(redis.url, runOf(dir), join(dir, "run"), () => victim.abort(), signal);
  } finally {
    await coordinator.close();
    await redis.close();
  }
}

/** Seconds from the kill to the first step that is told after the change of generation. */
async function timeDeath(
  url: string,
  config: RunConfig,
  out: string,
  kill: () => void,
  signal: AbortSignal,
): Promise<number> {
  const queue = await openQueue(url);
  try {
    const job = await submitTrain(queue, { config, out, workers: { min: 2, max: 2 } });
    const times = { killedMs: 0, changed: false, step: 0 };
    const end = AbortSignal.any([signal, AbortSignal.timeout(GIVEN_UP_MS)]);
    for await (const event of watchJob(queue, job, { signal: end, pollMs: 50 })) {
      if (event.event === "failed") throw new Error(`The run failed: ${event.error.message}`);
      if (event.event === "completed") throw new Error("The run was over before it was measured.");
      if (event.event === "generation" && times.killedMs > 0) times.changed = true;
      if (event.event !== "progress") continue;
      if (event.step >= 20 && times.killedMs === 0) {
        times.killedMs = performance.now();
        kill();
      } else if (times.changed) {
        if (times.step > 0 && event.step > times.step) {
          await cancelJob(queue, job);
          return (performance.now() - times.killedMs) / 1000;
        }
        times.step ||= event.step; // the first one told may be from before
      }
    }
    throw new Error("Nothing was told of the run for a minute.");
  } finally {
    await queue.close();
  }
}

/** Small, and long enough to be killed in. */
const runOf = (dir: string): RunConfig =>
  parseRunConfig({
    name: "recovery",
    data: { path: join(dir, "data") },
    model: {
      modalities: {
        trajectory: { encoder: { kind: "mlp", widths: [64] } },
        label: { encoder: { kind: "linear" } },
      },
    },
    training: { batchSize: 32, shards: 2, epochs: 100_000 },
  });
