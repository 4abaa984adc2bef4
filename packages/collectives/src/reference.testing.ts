import { treeSplit } from "@gmc/core";
import { addVectors, roundVector } from "@gmc/protocol";
import type { Collective, Subtree } from "./collective.ts";
import { wholeSubtrees } from "./subtree.ts";

/** Numbers of many sizes, so that another order of additions gives other bits. */
export const vector = (shard: number, length: number, turn: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + shard * 78.233 + turn) * 10 ** ((i + shard * 3) % 7));

export const ownBlocks = ({ rank, shardsOfWorkers }: Collective, vectors: readonly Float32Array[]) =>
  new Map((shardsOfWorkers[rank] ?? []).map((shard) => [shard, vectors[shard]!] as const));

/** A worker's whole subtrees, summed by the reference. */
export function ownSums(
  { rank, shardsOfWorkers }: Collective,
  vectors: readonly Float32Array[],
  wire: "fp32" | "bf16",
): ReadonlyMap<Subtree, Float32Array> {
  const subtrees = wholeSubtrees(shardsOfWorkers[rank] ?? [], vectors.length);
  return new Map(subtrees.map((subtree) => [subtree, treeReference(vectors, subtree.start, subtree.end, wire)]));
}

/** The sum of shards [start, end), from the definition: split at the largest power of two, round every leaf and node. */
export function treeReference(
  vectors: readonly Float32Array[],
  start: number,
  end: number,
  wire: "fp32" | "bf16",
): Float32Array {
  if (end - start === 1) {
    const leaf = vectors[start]!.slice();
    roundVector(leaf, wire);
    return leaf;
  }
  const middle = start + treeSplit(end - start);
  const sum = treeReference(vectors, start, middle, wire);
  addVectors(sum, treeReference(vectors, middle, end, wire), wire);
  return sum;
}

export function concat(vectors: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(vectors.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const values of vectors) {
    all.set(values, at);
    at += values.length;
  }
  return all;
}
