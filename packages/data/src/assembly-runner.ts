import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { decodeError } from "@gmc/core";
import { Piscina } from "piscina";
import type { AssemblyResult } from "./assemble.task.ts";
import { type AssembledBatch, Assembler, type AssemblyPlan } from "./assembler.ts";

/** Who puts batches together: threads, or the caller itself. */
export interface AssemblyRunner {
  assemble(step: number): Promise<AssembledBatch>;
  /** Stops threads and closes files; what is under way is rejected. */
  close(): Promise<void>;
}

/** @param threads  0: on the caller's thread (tests, tools) */
export const openRunner = (plan: AssemblyPlan, threads: number): AssemblyRunner =>
  threads === 0 ? inlineRunner(plan) : threadRunner(plan, threads);

function inlineRunner(plan: AssemblyPlan): AssemblyRunner {
  const assembler = new Assembler(plan);
  let turn: Promise<unknown> = Promise.resolve();
  return {
    assemble(step) {
      const batch = turn.then(() => assembler.assemble(step));
      turn = batch.catch(() => {});
      return batch;
    },
    async close() {
      await turn;
      assembler.close();
    },
  };
}

function threadRunner(plan: AssemblyPlan, threads: number): AssemblyRunner {
  const pool = createPool(plan, threads);
  // A thread that cannot even start is reported by this event alone. No Promise.race against one long-lived promise:
  // that would hold on to every batch it was ever raced with.
  const waiting = new Set<(reason: unknown) => void>();
  pool.on("error", (error) => {
    for (const reject of waiting) reject(error);
  });
  let closing: Promise<void> | undefined;
  return {
    assemble: (step) =>
      new Promise((resolve, reject) => {
        waiting.add(reject);
        pool
          .run(step)
          .then((result: AssemblyResult) => {
            if ("error" in result) throw decodeError(result.error);
            resolve(result.batch);
          })
          .catch(reject)
          .finally(() => waiting.delete(reject));
      }),
    close: () => (closing ??= pool.destroy()),
  };
}

const fromSource = import.meta.url.endsWith(".ts");

function createPool(plan: AssemblyPlan, threads: number): Piscina {
  return new Piscina({
    filename: new URL(fromSource ? "./assemble.task.ts" : "./assemble.task.js", import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    atomics: "async",
    workerData: plan,
    ...(fromSource ? { execArgv: ["--import", tsxUrl(), "--conditions=@gmc/source"] } : {}),
  });
}

/** tsx by its place, so that it is found from any working directory. */
const tsxUrl = (): string => pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
