import { CancelledError, type InputSpec } from "@gmc/core";
import type { AssembledBatch, AssemblyPlan } from "./assembler.ts";
import { type AssemblyRunner, openRunner } from "./assembly-runner.ts";
import { type BatchSource, cutShards, type GlobalBatch } from "./batch-source.ts";
import type { Dataset } from "./dataset.ts";
import { type BatchOptions, planBatches } from "./sampler.ts";
import { storedInputs } from "./split-layout.ts";
import { prepareSubset } from "./subset.ts";

export interface TrainBatchesOptions extends BatchOptions {
  readonly dataset: Dataset;
  /** Name of the split. */
  readonly split: string;
  /** The model's training inputs; masks and noise are skipped. */
  readonly inputs: readonly InputSpec[];
  /** Samples to draw from; absent: all of the split. */
  readonly subset?: Uint32Array;
  /** Threads that read and decode; 0 does it on the caller's thread. Default 1. */
  readonly threads?: number;
  /** Batches held ready or under way. Default 4. */
  readonly prefetch?: number;
}

/** Batches of a split, put together off the caller's thread and handed out in order. Each iteration has its own threads. */
export class TrainBatches implements BatchSource {
  readonly samples: number;
  readonly stepsPerEpoch: number;
  readonly #plan: AssemblyPlan;
  readonly #threads: number;
  readonly #prefetch: number;
  readonly #runners = new Set<AssemblyRunner>();
  readonly #closed = new AbortController();

  constructor(plan: AssemblyPlan, threads: number, prefetch: number) {
    this.samples = plan.batches.samples;
    this.stepsPerEpoch = plan.batches.stepsPerEpoch;
    this.#plan = plan;
    this.#threads = threads;
    this.#prefetch = prefetch;
  }

  async *batches(fromStep: number, signal?: AbortSignal): AsyncGenerator<GlobalBatch, void, void> {
    const stop = signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal;
    if (stop.aborted) throw cancelled();
    const { shards: total, own } = this.#plan.batches;
    const runner = openRunner(this.#plan, this.#threads);
    this.#runners.add(runner);
    const onStop = () => void runner.close(); // rejects the batch that is being waited for
    stop.addEventListener("abort", onStop, { once: true });
    try {
      for await (const { step, epoch, values } of inOrder(runner, fromStep, this.#prefetch)) {
        if (stop.aborted) throw cancelled();
        yield { step, epoch, shards: cutShards(values, own?.length ?? total), total };
        if (stop.aborted) throw cancelled();
      }
    } catch (error) {
      throw stop.aborted ? cancelled() : error;
    } finally {
      stop.removeEventListener("abort", onStop);
      await runner.close();
      this.#runners.delete(runner);
    }
  }

  /** Ends every iteration and its threads. */
  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all(Array.from(this.#runners, (runner) => runner.close()));
  }
}

/**
 * Batches for training.
 *
 * @throws {ConfigError} when batch size, shards, last batch and samples do not fit; the message names the numbers
 * @throws {DataError}   when the data set lacks the split, an input's modality, or the labels a target needs
 * @throws {ShapeError}  when the model expects another shape of a sample
 */
export function trainBatches(options: TrainBatchesOptions): TrainBatches {
  const { layout } = options.dataset.split(options.split);
  const subset = options.subset && prepareSubset(options.subset, layout.samples);
  const plan: AssemblyPlan = {
    batches: planBatches(subset?.length ?? layout.samples, options),
    inputs: storedInputs(layout, options.inputs),
    ...(subset ? { subset } : {}),
  };
  return new TrainBatches(plan, options.threads ?? 1, options.prefetch ?? 4);
}

/** Batches in the order of steps, `depth` of them asked for ahead. */
async function* inOrder(runner: AssemblyRunner, fromStep: number, depth: number): AsyncGenerator<AssembledBatch> {
  const ahead: Promise<AssembledBatch>[] = [];
  let next = fromStep;
  for (;;) {
    while (ahead.length < Math.max(1, depth)) {
      const batch = runner.assemble(next++);
      batch.catch(() => {}); // thrown where it is awaited; nobody awaits those that were asked for in vain
      ahead.push(batch);
    }
    const batch = await ahead.shift();
    if (batch) yield batch;
  }
}

const cancelled = () => new CancelledError("Reading batches was cancelled.");
