import { createRequire } from "node:module";
import { setImmediate } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { CancelledError, decodeError, type Range } from "@gmc/core";
import { Piscina } from "piscina";
import type { CastResult } from "./cast.task.ts";
import { type CastRows, RayCaster } from "./ray-caster.ts";
import { LINE_BLOCK, type RayPlan } from "./ray-plan.ts";

export interface CastOptions {
  /** 0: on the caller's thread. */
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  /** Share of the work that is done, from 0 to 1, twice a second. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/**
 * Casts all lines through all sites and hands each group of rows over as it is done, in any order: no row depends on
 * threads or groups.
 *
 * @throws {CancelledError} when the signal fires
 */
export async function castRays(plan: RayPlan, options: CastOptions, onRows: (rows: CastRows) => void): Promise<void> {
  const { signal, onProgress, threads } = options;
  const cancel = () => Atomics.store(plan.control, 0, 1);
  const blocks = Math.ceil(plan.rays / LINE_BLOCK) * plan.sites;
  const report = onProgress && (() => onProgress(Atomics.load(plan.control, 1) / blocks));
  const timer = report && setInterval(report, 500);
  signal?.addEventListener("abort", cancel);
  if (signal?.aborted) cancel();
  try {
    await (threads === 0 ? castHere(plan, onRows) : castOnThreads(plan, threads, onRows));
    throwIfCancelled(signal);
    onProgress?.(1);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

/** @throws {CancelledError} when the signal has fired */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError("The alignment was cancelled.", {}, { cause: signal.reason });
}

async function castHere(plan: RayPlan, onRows: (rows: CastRows) => void): Promise<void> {
  const caster = new RayCaster(plan);
  let breath = performance.now();
  for (const group of groupsOf(plan)) {
    const work = caster.cast(group);
    let turn = work.next();
    while (!turn.done) {
      if (performance.now() - breath > 50) {
        await setImmediate();
        breath = performance.now();
      }
      turn = work.next();
    }
    if (!turn.value) return;
    onRows(turn.value);
  }
}

async function castOnThreads(plan: RayPlan, threads: number, onRows: (rows: CastRows) => void): Promise<void> {
  const pool = createPool(plan, threads);
  // A thread that cannot even start is reported by this event alone.
  const failed = new Promise<never>((_, reject) => {
    pool.on("error", reject);
  });
  try {
    const tasks = groupsOf(plan).map(async (group) => {
      const result: CastResult = await pool.run(group);
      if ("error" in result) throw decodeError(result.error);
      if (result.rows) onRows(result.rows);
    });
    await Promise.race([Promise.all(tasks), failed]);
  } finally {
    await pool.destroy();
  }
}

function groupsOf({ sites, group }: RayPlan): Range[] {
  const groups: Range[] = [];
  for (let start = 0; start < sites; start += group) groups.push({ start, end: Math.min(sites, start + group) });
  return groups;
}

const fromSource = import.meta.url.endsWith(".ts");

function createPool(plan: RayPlan, threads: number): Piscina {
  return new Piscina({
    filename: new URL(fromSource ? "./cast.task.ts" : "./cast.task.js", import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    atomics: "async",
    workerData: plan,
    ...(fromSource ? { execArgv: ["--import", tsxUrl(), "--conditions=@gmc/source"] } : {}),
  });
}

/** tsx by its place, so that it is found from any working directory. */
const tsxUrl = (): string => pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
