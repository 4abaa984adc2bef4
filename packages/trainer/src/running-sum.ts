import type { GradientBlocks } from "@gmc/core";
import { addInto } from "@gmc/core";

/**
 * Sums one vector a shard with the bits of core's `treeSum`, whatever the order in which shards finish: two neighbouring
 * sums of as many shards merge as soon as both are there. When shards come one after another, log2(V) + 1 buffers are in
 * use; with R of them under way mostly R more, at most R·log2(V) + 1. One shard alone is never copied.
 */
export interface RunningSum {
  /** [length] buffer to write this shard's vector into; several shards may be open. */
  open(shard: number): Float32Array;
  /** Takes what was written into the shard's buffer. */
  add(shard: number): void;
  /** [length] sum over all shards from 0, valid until shard 0 is opened again; then it starts anew. */
  finish(): Float32Array;
  /** Forgets what a failed step has opened and added. */
  clear(): void;
}

/** Sum over shards [start, start + shards), a node of the tree. */
interface Node {
  readonly start: number;
  readonly shards: number;
  readonly sum: Float32Array;
}

/**
 * A running sum of vectors of this length; its buffers are kept from sum to sum.
 *
 * @param first   buffer for shard 0's vector, and so for the sum
 * @param blocks  where further buffers come from, and what adds them; absent: plain arrays and a loop
 */
export function runningSum(
  length: number,
  first?: Float32Array,
  blocks: GradientBlocks = plainBlocks(length),
): RunningSum {
  const root = first ?? blocks.allocate();
  const free: Float32Array[] = [];
  const open = new Map<number, Float32Array>();
  const nodes = new Map<number, Node>(); // by their start

  const release = (buffer: Float32Array): void => {
    if (buffer !== root) free.push(buffer);
  };
  const merge = (left: Node, right: Node): Node => {
    blocks.add(left.sum, right.sum);
    release(right.sum);
    nodes.delete(right.start);
    const merged = { start: left.start, shards: left.shards + right.shards, sum: left.sum };
    nodes.set(left.start, merged);
    return merged;
  };
  const clear = (): void => {
    for (const buffer of open.values()) release(buffer);
    for (const { sum } of nodes.values()) release(sum);
    open.clear();
    nodes.clear();
  };
  return {
    open(shard) {
      const buffer = shard === 0 ? root : (open.get(shard) ?? free.pop() ?? blocks.allocate());
      open.set(shard, buffer);
      return buffer;
    },
    add(shard) {
      const sum = open.get(shard);
      if (!sum) throw new Error(`RunningSum.add: open shard ${shard} first and write its vector into the buffer`);
      open.delete(shard);
      let node: Node = { start: shard, shards: 1, sum };
      nodes.set(shard, node);
      for (;;) {
        const sibling = nodes.get(node.start ^ node.shards); // the other half of a node of twice as many shards
        if (sibling?.shards !== node.shards) return;
        node = sibling.start < node.start ? merge(sibling, node) : merge(node, sibling);
      }
    },
    finish() {
      const parts = [...nodes.values()].sort((a, b) => a.start - b.start); // of falling powers of two, as the tree splits V
      const shards = parts.reduce((sum, part) => (part.start === sum ? sum + part.shards : Number.NaN), 0);
      if (!(shards > 0)) throw new Error("RunningSum.finish: nothing was added, or a shard before the last is missing");
      const total = parts.reduceRight((right, left) => merge(left, right));
      clear();
      return total.sum;
    },
    clear,
  };
}

const plainBlocks = (length: number): GradientBlocks => ({ allocate: () => new Float32Array(length), add: addInto });
