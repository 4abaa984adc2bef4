import type { ShardForward } from "@gmc/core";

/** How one shard's forward lies in a vector: embeddings, local loss (float64 as two float32), statistics. */
export interface ForwardLayout {
  readonly embeddings: number | undefined;
  readonly hasLocalLoss: boolean;
  readonly statistics: number | undefined;
}

export const layoutOf = ({ embeddings, localLoss, batchStatistics }: ShardForward): ForwardLayout => ({
  embeddings: embeddings?.length,
  hasLocalLoss: localLoss !== undefined,
  statistics: batchStatistics?.length,
});

export const blockLength = ({ embeddings = 0, hasLocalLoss, statistics = 0 }: ForwardLayout): number =>
  embeddings + (hasLocalLoss ? 2 : 0) + statistics;

/** Writes a forward into its block. */
export function packForward({ embeddings, localLoss, batchStatistics }: ShardForward, block: Float32Array): void {
  if (embeddings) block.set(embeddings);
  const at = embeddings?.length ?? 0;
  if (localLoss !== undefined) block.set(bitsOf(localLoss), at);
  if (batchStatistics) block.set(batchStatistics, block.length - batchStatistics.length);
}

/** The forward in a block; its arrays are views. */
export function unpackForward(
  block: Float32Array,
  { embeddings, hasLocalLoss, statistics }: ForwardLayout,
): ShardForward {
  return {
    ...(embeddings !== undefined && { embeddings: block.subarray(0, embeddings) }),
    ...(hasLocalLoss && { localLoss: numberAt(block, embeddings ?? 0) }),
    ...(statistics !== undefined && { batchStatistics: block.subarray(block.length - statistics) }),
  };
}

/** A float64 as two float32 of the same bits. */
export const bitsOf = (value: number): Float32Array => new Float32Array(Float64Array.of(value).buffer);

/** The float64 whose bits stand at `values[first]` and behind it. */
export const numberAt = (values: Float32Array, first = 0): number =>
  new Float64Array(values.slice(first, first + 2).buffer)[0] ?? Number.NaN;
