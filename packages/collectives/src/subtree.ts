import { treeSplit } from "@gmc/core";
import type { Subtree } from "./collective.ts";

/**
 * The largest subtrees of the tree over `total` shards whose shards are all in `shards`, in shard order: what a worker
 * that owns these shards may add up alone.
 */
export function wholeSubtrees(shards: readonly number[], total: number): readonly Subtree[] {
  const owned = new Set(shards);
  const found: Subtree[] = [];
  const visit = (start: number, end: number): void => {
    let count = 0;
    for (let shard = start; shard < end; shard++) if (owned.has(shard)) count++;
    if (count === 0) return;
    if (count === end - start) {
      found.push({ start, end });
      return;
    }
    const middle = start + treeSplit(end - start);
    visit(start, middle);
    visit(middle, end);
  };
  visit(0, total);
  return found;
}

/** A tree whose leaves are given subtrees: a leaf by its place in the list, or the sum of two trees. */
export type SumTree = number | readonly [SumTree, SumTree];

/**
 * The tree over all shards, cut where one of `leaves` is a whole node. The leaves cover every shard once.
 *
 * @throws {RangeError} when they do not
 */
export function sumTree(leaves: readonly Subtree[], total: number): SumTree {
  const places = new Map(leaves.map((leaf, place) => [subtreeName(leaf), place]));
  const visit = (start: number, end: number): SumTree => {
    const place = places.get(subtreeName({ start, end }));
    if (place !== undefined) return place;
    if (end - start < 2) throw new RangeError(`sumTree: nobody has shard ${start} of ${total}`);
    const middle = start + treeSplit(end - start);
    return [visit(start, middle), visit(middle, end)];
  };
  return visit(0, total);
}

/** Additions between the root and the deepest leaf. */
export const treeDepth = (tree: SumTree): number =>
  typeof tree === "number" ? 0 : 1 + Math.max(treeDepth(tree[0]), treeDepth(tree[1]));

/** A subtree's name in keys: "2-4". */
export const subtreeName = ({ start, end }: Subtree): string => `${start}-${end}`;
