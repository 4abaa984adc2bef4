import type { ContrastiveShape, ContrastiveSpec, ThreadedLoss } from "@gmc/core";
import { decodeError } from "@gmc/core";
import { Piscina } from "piscina";
import { threadEntry } from "../thread-entry.ts";
import { contrastiveLoss } from "./contrastive-loss.ts";
import type { LossResult, LossTask } from "./loss.task.ts";

/**
 * Multiply-adds of one pass over all pairs (three passes a step) from which handing the loss to threads gains more than the
 * 0.3 ms of its messages: B = 128 of the paper's model has 9.4 million and takes 6 ms, B = 64 takes 2.
 */
const WORTH_THREADS = 8e6;

/** Threads that compute the contrastive loss of several shards at once; they start with the first loss. */
export class LossThreads {
  readonly #threads: number;
  #pool: Piscina | undefined;
  /** Callers to tell when a thread cannot even start: the pool has an event for that and leaves its tasks waiting. */
  readonly #waiting = new Set<(reason: unknown) => void>();
  #closing: Promise<void> | undefined;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /**
   * A loss with the bits of `contrastiveLoss`; one call computes on one thread. Undefined for a batch too small to gain.
   *
   * @throws as `contrastiveLoss`
   */
  open(spec: ContrastiveSpec, shape: ContrastiveShape): ThreadedLoss | undefined {
    if ((2 * shape.modalities + 1) * shape.batch ** 2 * shape.dim < WORTH_THREADS) return undefined;
    const { normalisersPerRow } = contrastiveLoss(spec, shape);
    return {
      normalisersPerRow,
      logNormalisers: async (z, rows) => (await this.#run({ spec, shape, z, rows })).values,
      gradient: async (z, logNormalisers, rows) => {
        const { loss, values } = await this.#run({ spec, shape, z, rows, logNormalisers });
        return { loss, dz: values };
      },
    };
  }

  /** Ends the threads; what is under way is rejected. */
  close(): Promise<void> {
    this.#closing ??= this.#pool?.destroy() ?? Promise.resolve();
    return this.#closing;
  }

  async #run(task: LossTask): Promise<Exclude<LossResult, { readonly error: unknown }>> {
    if (this.#closing) throw new TypeError("The loss was asked for after its replica's close().");
    this.#pool ??= this.#openPool();
    const result = await this.#settled(this.#pool.run(task));
    if ("error" in result) throw decodeError(result.error);
    return result;
  }

  #settled(running: Promise<LossResult>): Promise<LossResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      running.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  #openPool(): Piscina {
    const { url, execArgv } = threadEntry(import.meta.url, "./loss.task");
    const pool = new Piscina({
      filename: url.href,
      minThreads: this.#threads,
      maxThreads: this.#threads,
      atomics: "async",
      execArgv,
    });
    pool.on("error", (error) => {
      for (const reject of this.#waiting) reject(error);
    });
    return pool;
  }
}
