import type { Subtree } from "./collective.ts";
import type { SumTree } from "./subtree.ts";
import { sumTree, wholeSubtrees } from "./subtree.ts";

/** Who has which shards, and what follows from it. */
export interface Assignment {
  readonly shardsOfWorkers: readonly (readonly number[])[];
  /** V, of all workers together. */
  readonly shards: number;
  readonly ranks: number;
  /** Rank of each shard. */
  readonly rankOfShard: readonly number[];
  /** Every worker's whole subtrees, in shard order, with the rank that sums each. */
  readonly leaves: readonly (Subtree & { readonly rank: number })[];
  /** The tree over them. */
  readonly tree: SumTree;
}

/**
 * Checks an assignment.
 *
 * @param shardsOfWorkers  the shards of each rank
 * @throws {RangeError} when a rank has no shard, or a shard is missing or given twice
 */
export function assignment(shardsOfWorkers: readonly (readonly number[])[]): Assignment {
  const shards = shardsOfWorkers.reduce((sum, own) => sum + own.length, 0);
  const rankOfShard: number[] = new Array(shards).fill(-1);
  for (const [rank, own] of shardsOfWorkers.entries()) {
    if (own.length === 0) throw new RangeError(`Rank ${rank} has no shard: there are more workers than shards.`);
    for (const shard of own) {
      if (rankOfShard[shard] !== -1)
        throw new RangeError(`Shard ${shard} of 0 to ${shards - 1} is given twice or unknown.`);
      rankOfShard[shard] = rank;
    }
  }
  const leaves = shardsOfWorkers
    .flatMap((own, rank) => wholeSubtrees(own, shards).map((subtree) => ({ ...subtree, rank })))
    .sort((a, b) => a.start - b.start);
  const ranks = shardsOfWorkers.length;
  return { shardsOfWorkers, shards, ranks, rankOfShard, leaves, tree: sumTree(leaves, shards) };
}

/** Shards 0 … V - 1 in contiguous runs, as even as they go: worker r of W has from ⌊rV/W⌋ on. @throws {RangeError} for more workers than shards */
export function evenShares(shards: number, workers: number): readonly (readonly number[])[] {
  if (workers > shards) throw new RangeError(`${workers} workers cannot share ${shards} shards: at most one each.`);
  return Array.from({ length: workers }, (_, rank) => {
    const start = Math.floor((rank * shards) / workers);
    const end = Math.floor(((rank + 1) * shards) / workers);
    return Array.from({ length: end - start }, (_, i) => start + i);
  });
}
