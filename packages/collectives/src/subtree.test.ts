import { treeSplit } from "@gmc/core";
import { expect, test } from "vitest";
import { assignment, evenShares } from "./assignment.ts";
import { sumTree, treeDepth, wholeSubtrees } from "./subtree.ts";

test("a worker's whole subtrees are the largest nodes of the tree that it owns", () => {
  const names = (shards: number[], total: number) => wholeSubtrees(shards, total).map(({ start, end }) => [start, end]);
  expect(names([0, 1, 2, 3], 4)).toEqual([[0, 4]]);
  expect(names([0, 1, 2], 4)).toEqual([
    [0, 2],
    [2, 3],
  ]); // prettier-ignore
  expect(names([1, 2], 4)).toEqual([
    [1, 2],
    [2, 3],
  ]); // neighbours, but no node
  expect(names([4], 5)).toEqual([[4, 5]]);
  expect(names([2, 3, 4], 6)).toEqual([
    [2, 4],
    [4, 5],
  ]);
  expect(names([4, 5], 6)).toEqual([[4, 6]]);
});

test("the tree over the leaves is the tree over the shards, cut at the leaves", () => {
  const { leaves, tree } = assignment([
    [0, 1, 4],
    [2, 3],
  ]);
  expect(leaves.map(({ start, end, rank }) => [start, end, rank])).toEqual([
    [0, 2, 0],
    [2, 4, 1],
    [4, 5, 0],
  ]);
  expect(tree).toEqual([[0, 1], 2]);
  expect(treeSplit(5)).toBe(4);
  expect(treeDepth(tree)).toBe(2);
  expect(sumTree([{ start: 0, end: 3 }], 3)).toBe(0);
  expect(() => sumTree([{ start: 0, end: 2 }], 3)).toThrow(/shard 2/);
});

test("an assignment in which a shard is missing or given twice, or a rank has none, is refused", () => {
  expect(() => assignment([[0], []])).toThrow(/Rank 1 has no shard/);
  expect(() => assignment([[0], [0]])).toThrow(/Shard 0 .* twice/);
  expect(() => assignment([[0], [2]])).toThrow(/Shard 2 .* unknown/);
});

test("even shares are contiguous and differ by one shard at most; more workers than shards are refused", () => {
  expect(evenShares(5, 2)).toEqual([
    [0, 1],
    [2, 3, 4],
  ]);
  expect(evenShares(8, 3).map((own) => own.length)).toEqual([2, 3, 3]);
  expect(evenShares(4, 4)).toEqual([[0], [1], [2], [3]]);
  expect(() => evenShares(2, 3)).toThrow(/3 workers .* 2 shards/);
});
