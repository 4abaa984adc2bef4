import type { Inputs } from "@gmc/core";

/** What one training step takes. */
export interface GlobalBatch {
  /** Global step, from 0. */
  readonly step: number;
  /** From 0. */
  readonly epoch: number;
  /**
   * Shards of equal size: all V in order, or the ones a worker owns in the order it named them. Each holds the modalities
   * and targets by input name, [rows, …].
   */
  readonly shards: readonly Inputs[];
  /** V, of all workers. */
  readonly total: number;
}

/** Batches of a run in their order: a pure function of (data, options, step). */
export interface BatchSource {
  /** N, samples an epoch draws from. */
  readonly samples: number;
  readonly stepsPerEpoch: number;
  /**
   * Batches from global step `fromStep` on, epoch after epoch, without end: the caller stops. A batch's arrays are
   * the caller's.
   *
   * @throws {CancelledError} from the iteration when the signal fires or the source is closed
   */
  batches(fromStep: number, signal?: AbortSignal): AsyncIterable<GlobalBatch>;
}

/**
 * Shards as views into their rows one after another: the v-th of so many equal parts.
 *
 * @param values  [shards · rows, …] by input name
 */
export function cutShards(values: Inputs, shards: number): readonly Inputs[] {
  return Array.from({ length: shards }, (_, shard) => {
    const part: Record<string, Float32Array> = {};
    for (const [name, whole] of Object.entries(values)) {
      const length = whole.length / shards;
      part[name] = whole.subarray(shard * length, (shard + 1) * length);
    }
    return part;
  });
}
