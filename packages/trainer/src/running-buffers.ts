import type { Model } from "@gmc/core";
import { tensorLayout, treeSum } from "@gmc/core";

/**
 * [Q] the running buffers after one step: one momentum step from the mean over shards of their batch statistics.
 * Sums in float32 in the tree, the rest rounded once.
 *
 * @param buffers     [Q] before the step; not written
 * @param statistics  V blocks [Q], in shard order
 */
export function nextBuffers(
  model: Pick<Model, "buffers">,
  buffers: Float32Array,
  statistics: readonly Float32Array[],
): Float32Array {
  if (model.buffers.length === 0) return buffers;
  const sum = treeSum(statistics, new Float32Array(buffers.length));
  const next = new Float32Array(buffers.length);
  for (const [i, { start, end }] of tensorLayout(model.buffers).entries.entries()) {
    const momentum = model.buffers[i]?.momentum ?? 0;
    for (let q = start; q < end; q++) {
      const mean = (sum[q] ?? 0) / statistics.length;
      next[q] = (1 - momentum) * (buffers[q] ?? 0) + momentum * mean;
    }
  }
  return next;
}
