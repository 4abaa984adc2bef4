import type { Inputs } from "@gmc/core";

/** What one training step takes. */
export interface GlobalBatch {
  /** Global step, from 0. */
  readonly step: number;
  /** From 0. */
  readonly epoch: number;
  /** V shards of equal size in order; each holds the modalities and targets by input name, [rows, …]. */
  readonly shards: readonly Inputs[];
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
 * The V shards of a whole batch, as views: shard v holds the v-th of V equal parts of the rows.
 *
 * @param values  [B, …] by input name
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
