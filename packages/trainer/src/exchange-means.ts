import type { StepExchange } from "./scope-calls.ts";

/** Means of what steps spent on their group. */
export class ExchangeMeans {
  readonly #sums = { gatherMs: 0, reduceMs: 0, reduceWaitMs: 0, commitMs: 0, bytesOut: 0, bytesIn: 0 };
  #steps = 0;

  add(exchange: StepExchange | undefined): void {
    if (!exchange) return;
    this.#steps++;
    for (const name of NAMES) this.#sums[name] += exchange[name];
  }

  /** Undefined before the first step. */
  means(): StepExchange | undefined {
    if (this.#steps === 0) return undefined;
    const { gatherMs, reduceMs, reduceWaitMs, commitMs, bytesOut, bytesIn } = this.#sums;
    const mean = (sum: number): number => sum / this.#steps;
    return {
      gatherMs: mean(gatherMs),
      reduceMs: mean(reduceMs),
      reduceWaitMs: mean(reduceWaitMs),
      commitMs: mean(commitMs),
      bytesOut: mean(bytesOut),
      bytesIn: mean(bytesIn),
    };
  }
}

const NAMES = ["gatherMs", "reduceMs", "reduceWaitMs", "commitMs", "bytesOut", "bytesIn"] as const;
