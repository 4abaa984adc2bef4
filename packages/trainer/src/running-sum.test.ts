import { normalAt, randomKey, treeSum } from "@gmc/core";
import { expect, test } from "vitest";
import { runningSum } from "./running-sum.ts";

const vector = (shard: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => normalAt(randomKey(1, "vector", shard), i) * 10 ** ((i % 7) - 3));

test.each(Array.from({ length: 17 }, (_, i) => i + 1))("%i shards have the bits of core's tree", (shards) => {
  const sum = runningSum(101);
  const vectors = Array.from({ length: shards }, (_, v) => vector(v, 101));
  for (let repeat = 0; repeat < 2; repeat++) {
    for (const one of vectors) {
      sum.next().set(one);
      sum.add();
    }
    expect(sum.finish()).toEqual(treeSum(vectors, new Float32Array(101)));
  }
});

test("the order matters: a plain sum from left to right has other bits", () => {
  const vectors = Array.from({ length: 8 }, (_, v) => vector(v, 101));
  const plain = vectors[0]!.slice();
  for (const one of vectors.slice(1)) for (let i = 0; i < 101; i++) plain[i]! += one[i]!;
  expect(plain).not.toEqual(treeSum(vectors, new Float32Array(101)));
});

test.each([
  [1, 1],
  [2, 2],
  [4, 3],
  [8, 4],
  [16, 5],
  [7, 3],
])("%i shards take %i buffers", (shards, expected) => {
  const sum = runningSum(4);
  const buffers = new Set<Float32Array>();
  for (let repeat = 0; repeat < 3; repeat++) {
    for (let v = 0; v < shards; v++) {
      buffers.add(sum.next());
      sum.add();
    }
    buffers.add(sum.finish());
  }
  expect(buffers.size).toBe(expected);
});

test.each([1, 2, 3, 4, 7])("of %i shards the sum stands in the buffer that was given", (shards) => {
  const given = new Float32Array(4);
  const sum = runningSum(4, given);
  for (let repeat = 0; repeat < 3; repeat++) {
    for (let v = 0; v < shards; v++) {
      sum.next();
      sum.add();
    }
    expect(sum.finish()).toBe(given);
  }
});

test("one shard's vector comes back without a copy", () => {
  const sum = runningSum(4);
  const buffer = sum.next();
  sum.add();
  expect(sum.finish()).toBe(buffer);
});

test("adding without a buffer, or finishing an empty sum, is a mistake", () => {
  expect(() => runningSum(4).add()).toThrow("next()");
  expect(() => runningSum(4).finish()).toThrow("nothing was added");
});

test("a cleared sum starts anew with the buffers it has", () => {
  const sum = runningSum(1);
  sum.next().set([1]);
  sum.add();
  sum.next().set([2]);
  sum.clear();
  const buffer = sum.next();
  buffer.set([5]);
  sum.add();
  expect([...sum.finish()]).toEqual([5]);
});
