import { addInto, permutation, randomKey, treeSum } from "@gmc/core";
import { addVectors, roundVector } from "@gmc/protocol";
import { describe, expect, test } from "vitest";
import { wholeSubtrees } from "./subtree.ts";
import type { ClosedRange } from "./subtree-sum.ts";
import { SubtreeSum } from "./subtree-sum.ts";

const LENGTH = 37;
const vector = (shard: number) =>
  Float32Array.from({ length: LENGTH }, (_, i) => Math.sin(shard * 91 + i) * 10 ** (shard % 5));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The sum of shards [start, end) from the definition, rounding every node. */
function reference(start: number, end: number, wire: "fp32" | "bf16"): Float32Array {
  if (end - start === 1) {
    const leaf = vector(start);
    roundVector(leaf, wire);
    return leaf;
  }
  let split = 1;
  while (split * 2 < end - start) split *= 2;
  const sum = reference(start, start + split, wire);
  addVectors(sum, reference(start + split, end, wire), wire);
  return sum;
}

interface Order {
  /** Shards under way at once. */
  readonly atOnce: number;
  /** In which they complete each of them; absent: no ranges. */
  readonly ranges?: readonly (readonly [number, number])[];
  /** Draws who goes on. */
  readonly seed?: number;
}

/** Writes the shards' vectors as a backward does, some at once, each range after range; gives what was closed, in order. */
function addAll(sum: SubtreeSum, shards: readonly number[], { atOnce, ranges = [], seed = 0 }: Order): ClosedRange[] {
  const closed: ClosedRange[] = [];
  const running = new Map<number, number>();
  let next = 0;
  for (let turn = 0; running.size > 0 || next < shards.length; turn++) {
    while (next < shards.length && running.size < atOnce) {
      const shard = shards[next++]!;
      sum.open(shard).fill(Number.NaN);
      running.set(shard, 0);
    }
    const [shard, done] = [...running][permutation(randomKey(seed, "turn", turn), running.size)[0]!]!;
    const range = ranges[done];
    if (range) {
      const [start, end] = range;
      sum.open(shard).set(vector(shard).subarray(start, end), start);
      const part = sum.part(shard, { start, end });
      if (part) closed.push(part);
      running.set(shard, done + 1);
    } else {
      const written = ranges.length > 0 ? ranges : [];
      for (const [i, value] of vector(shard).entries()) {
        if (!written.some(([start, end]) => i >= start && i < end)) sum.open(shard)[i] = value;
      }
      running.delete(shard);
      closed.push(...sum.add(shard));
    }
  }
  return [...closed, ...sum.finish()];
}

/** The sums by subtree, put together from their ranges. */
function together(closed: readonly ClosedRange[]): ReadonlyMap<string, Float32Array> {
  const whole = new Map<string, Float32Array>();
  for (const { range, sums } of closed) {
    for (const [{ start, end }, values] of sums) {
      const name = `${start}-${end}`;
      const all = whole.get(name) ?? new Float32Array(LENGTH).fill(Number.NaN);
      all.set(values, range.start);
      whole.set(name, all);
    }
  }
  return whole;
}

const cases = [
  ...upTo(9).map((v) => ({ shards: upTo(v + 1), total: v + 1 })),
  { shards: upTo(16), total: 16 },
  { shards: [1, 2], total: 4 },
  { shards: [0, 2, 3, 6], total: 7 },
  { shards: [6, 4, 5], total: 8 },
];
const RANGES: readonly Order["ranges"][] = [
  undefined,
  [[0, LENGTH]],
  [
    [20, 37],
    [0, 7],
    [7, 20],
  ], // prettier-ignore
  [
    [3, 9],
    [30, 31],
  ], // prettier-ignore
];

describe.each(cases)("shards $shards of $total", ({ shards, total }) => {
  test.each(["fp32", "bf16"] as const)(
    "%s: every whole subtree has the bits of the tree, whoever finishes first, in whatever ranges",
    (wire) => {
      const first = new Float32Array(LENGTH);
      const sum = new SubtreeSum({ length: LENGTH, shards, total, wire, first });
      const subtrees = wholeSubtrees(shards, total);
      for (const ranges of RANGES) {
        for (const atOnce of new Set([1, 2, 3, shards.length])) {
          for (const seed of [0, 1, 2]) {
            const sums = together(addAll(sum, shards, { atOnce, seed, ...(ranges && { ranges }) }));
            expect([...sums.keys()]).toEqual(subtrees.map(({ start, end }) => `${start}-${end}`));
            for (const { start, end } of subtrees) {
              expect(sums.get(`${start}-${end}`)).toEqual(reference(start, end, wire));
            }
            sum.clear();
          }
        }
      }
      expect(sum.open(Math.min(...shards))).toBe(first);
    },
  );
});

test("the tree is core's, and a plain sum from left to right has other bits", () => {
  const vectors = upTo(6).map(vector);
  expect(reference(0, 6, "fp32")).toEqual(treeSum(vectors, new Float32Array(LENGTH)));
  const plain = vectors[0]!.slice();
  for (const one of vectors.slice(1)) addInto(plain, one);
  expect(plain).not.toEqual(reference(0, 6, "fp32"));
});

test("a range is closed as soon as the last shard has completed it, while the rest is still being written", () => {
  const sum = new SubtreeSum({ length: 4, shards: [0, 1], total: 2, wire: "fp32" });
  sum.open(0).fill(1);
  sum.open(1).fill(Number.NaN).fill(2, 2, 4);
  expect(sum.part(0, { start: 2, end: 4 })).toBe(undefined);
  const closed = sum.part(1, { start: 2, end: 4 });
  expect([...closed!.sums].map(([, values]) => [...values])).toEqual([[3, 3]]);
  expect(sum.add(0)).toEqual([]);
  sum.open(1).fill(5, 0, 2);
  expect(sum.add(1)).toEqual([]);
  expect(sum.finish().map(({ range, sums }) => [range, ...[...sums.values()].map((values) => [...values])])).toEqual([
    [{ start: 0, end: 2 }, [6, 6]],
  ]);
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
])("%i shards, %i at once, take at most %i buffers, step after step", (shards, atOnce, most) => {
  const blocks = {
    allocated: 0,
    add: addInto,
    allocate() {
      this.allocated++;
      return new Float32Array(LENGTH);
    },
  };
  for (const ranges of [undefined, RANGES[2]]) {
    blocks.allocated = 0;
    const sum = new SubtreeSum({ length: LENGTH, shards: upTo(shards), total: shards, wire: "fp32", blocks });
    for (let seed = 0; seed < 10; seed++) {
      addAll(sum, upTo(shards), { atOnce, seed, ...(ranges && { ranges }) });
      sum.clear();
    }
    expect(blocks.allocated).toBeLessThanOrEqual(most);
  }
});

test("whole fp32 vectors are added by the blocks that are given; the sum stands in the first buffer", () => {
  const blocks = {
    added: 0,
    allocate: () => new Float32Array(LENGTH),
    add(left: Float32Array, right: Float32Array) {
      this.added++;
      addInto(left, right);
    },
  };
  const first = new Float32Array(LENGTH);
  const sum = new SubtreeSum({ length: LENGTH, shards: upTo(5), total: 5, wire: "fp32", first, blocks });
  const [closed] = addAll(sum, upTo(5), { atOnce: 2 });
  expect(blocks.added).toBe(4);
  const [values] = [...closed!.sums.values()];
  expect([values!.buffer, values!.byteOffset]).toEqual([first.buffer, first.byteOffset]);
});

test("a step that failed half way leaves nothing behind", () => {
  const sum = new SubtreeSum({ length: 1, shards: [0, 1, 2], total: 3, wire: "fp32" });
  for (const fail of [1, 2, 3]) {
    for (const shard of [0, 1, 2].slice(0, fail)) sum.open(shard)[0] = 100;
    sum.part(0, { start: 0, end: 1 });
    if (fail > 1) sum.add(0);
    sum.clear();
    for (const shard of [0, 1, 2]) {
      sum.open(shard)[0] = shard + 1;
      sum.add(shard);
    }
    expect([...sum.finish()[0]!.sums.values()].map(([value]) => value)).toEqual([6]);
    sum.clear();
  }
});

test("calls out of order are refused", () => {
  const sum = new SubtreeSum({ length: 1, shards: [0, 1], total: 2, wire: "fp32" });
  expect(() => sum.add(0)).toThrow(/open shard 0 first/);
  expect(() => sum.part(0, { start: 0, end: 1 })).toThrow(/open shard 0 first/);
  expect(() => sum.open(2)).toThrow(/shard 2 is not to be added/);
  sum.open(0);
  sum.add(0);
  expect(() => sum.open(0)).toThrow(/shard 0 is not to be added/);
  expect(() => sum.finish()).toThrow(/1 of 2 shards were added/);
});
