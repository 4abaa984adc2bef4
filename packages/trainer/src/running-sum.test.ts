import { addInto, normalAt, permutation, randomKey, treeSum } from "@gmc/core";
import { describe, expect, test } from "vitest";
import { runningSum } from "./running-sum.ts";

const LENGTH = 101;
const vector = (shard: number): Float32Array =>
  Float32Array.from({ length: LENGTH }, (_, i) => normalAt(randomKey(1, "vector", shard), i) * 10 ** ((i % 7) - 3));
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Adds the shards' vectors in the order in which shards finish, with at most `atOnce` open; they open in their own order. */
function addAll(sum: ReturnType<typeof runningSum>, shards: number, atOnce = 1, pick = 0): Float32Array[] {
  const buffers = new Set<Float32Array>();
  const open: number[] = [];
  let next = 0;
  for (let done = 0; done < shards; done++) {
    while (next < shards && open.length < atOnce) {
      const buffer = sum.open(next);
      buffer.set(vector(next));
      buffers.add(buffer);
      open.push(next++);
    }
    const [finished = 0] = open.splice(permutation(randomKey(pick, "finish", done), open.length)[0] ?? 0, 1);
    sum.add(finished);
  }
  return [...buffers];
}

describe.each(range(17).map((v) => v + 1))("%i shards", (shards) => {
  const expected = treeSum(range(shards).map(vector), new Float32Array(LENGTH));

  test("have the bits of core's tree, whichever finish first", () => {
    const sum = runningSum(LENGTH);
    for (const atOnce of [1, 2, 3, shards]) {
      for (let pick = 0; pick < 5; pick++) {
        addAll(sum, shards, atOnce, pick);
        expect(sum.finish()).toEqual(expected);
      }
    }
  });
});

test("the order matters: a plain sum from left to right has other bits", () => {
  const vectors = range(8).map(vector);
  const plain = vectors[0]!.slice();
  for (const one of vectors.slice(1)) for (let i = 0; i < LENGTH; i++) plain[i]! += one[i]!;
  expect(plain).not.toEqual(treeSum(vectors, new Float32Array(LENGTH)));
});

test.each([
  [1, 1, 1],
  [2, 1, 2],
  [4, 1, 3],
  [8, 1, 4],
  [16, 1, 5],
  [7, 1, 3],
  [2, 2, 2],
  [4, 2, 5],
  [16, 2, 9],
])("%i shards, %i at once, take at most %i buffers", (shards, atOnce, most) => {
  const sum = runningSum(LENGTH);
  const buffers = new Set<Float32Array>();
  for (let pick = 0; pick < 10; pick++) {
    for (const buffer of addAll(sum, shards, atOnce, pick)) buffers.add(buffer);
    sum.finish();
  }
  expect(buffers.size).toBeLessThanOrEqual(most);
});

test.each([1, 2, 3, 4, 7])("of %i shards the sum stands in the buffer that was given", (shards) => {
  const given = new Float32Array(LENGTH);
  const sum = runningSum(LENGTH, given);
  for (let pick = 0; pick < 3; pick++) {
    addAll(sum, shards, 2, pick);
    expect(sum.finish()).toBe(given);
  }
});

test("buffers and additions are those of the blocks that are given", () => {
  const blocks = { allocated: 0, added: 0 };
  const sum = runningSum(LENGTH, undefined, {
    allocate() {
      blocks.allocated++;
      return new Float32Array(LENGTH);
    },
    add(left, right) {
      blocks.added++;
      addInto(left, right);
    },
  });
  addAll(sum, 5);
  expect(sum.finish()).toEqual(treeSum(range(5).map(vector), new Float32Array(LENGTH)));
  expect(blocks).toEqual({ allocated: 3, added: 4 });
});

test("one shard's vector comes back without a copy", () => {
  const sum = runningSum(4);
  const buffer = sum.open(0);
  sum.add(0);
  expect(sum.finish()).toBe(buffer);
});

test("adding what is not open, or finishing an empty sum or one with a gap, is a mistake", () => {
  const sum = runningSum(4);
  expect(() => sum.add(0)).toThrow("open shard 0");
  expect(() => sum.finish()).toThrow("nothing was added");
  sum.open(0);
  sum.open(1);
  sum.add(1);
  expect(() => sum.finish()).toThrow("a shard before the last is missing");
});

test("a cleared sum starts anew with the buffers it has", () => {
  const sum = runningSum(1);
  const before = new Set([sum.open(0), sum.open(1), sum.open(2)]);
  for (const shard of [0, 1]) sum.add(shard);
  sum.clear();
  for (const shard of [0, 1, 2]) {
    expect(before.has(sum.open(shard))).toBe(true);
    sum.open(shard).fill(shard + 5);
    sum.add(shard);
  }
  expect([...sum.finish()]).toEqual([18]);
});
