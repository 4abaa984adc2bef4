import { treeSum } from "@gmc/core";
import { addVectors, roundVector } from "@gmc/protocol";
import { expect, test } from "vitest";
import { wholeSubtrees } from "./subtree.ts";
import { SubtreeSum } from "./subtree-sum.ts";

const LENGTH = 37;
const vector = (shard: number) =>
  Float32Array.from({ length: LENGTH }, (_, i) => Math.sin(shard * 91 + i) * 10 ** (shard % 5));

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

const cases = [
  { shards: [0], total: 1 },
  { shards: [0, 1, 2, 3, 4, 5, 6, 7], total: 8 },
  { shards: [0, 1, 2, 3, 4], total: 5 },
  { shards: [1, 2], total: 4 },
  { shards: [0, 2, 3, 6], total: 7 },
  { shards: [4, 5, 6], total: 8 },
];
test.each(cases.flatMap((of) => (["fp32", "bf16"] as const).map((wire) => ({ ...of, wire }))))(
  "shards $shards of $total, $wire: every whole subtree has the bits of the tree, also when the last shard is closed in ranges",
  ({ shards, total, wire }) => {
    const first = new Float32Array(LENGTH);
    const sum = new SubtreeSum({ length: LENGTH, shards, total, wire, first });
    for (const ranges of [
      [[0, 37]],
      [
        [20, 37],
        [0, 7],
        [7, 20],
      ],
    ] as const) {
      for (const shard of shards.slice(0, -1)) {
        sum.next().set(vector(shard));
        sum.add();
      }
      const last = vector(shards.at(-1)!);
      const parts = new Map<string, Float32Array>();
      for (const [start, end] of ranges) {
        const open = start === ranges[0][0] ? sum.next() : undefined;
        open?.set(last); // a real backward writes range after range
        for (const [{ start: from, end: to }, values] of sum.close({ start, end })) {
          const whole = parts.get(`${from}-${to}`) ?? new Float32Array(LENGTH);
          whole.set(values, start);
          parts.set(`${from}-${to}`, whole);
        }
      }
      const subtrees = wholeSubtrees(shards, total);
      expect([...parts.keys()]).toEqual(subtrees.map(({ start, end }) => `${start}-${end}`));
      for (const { start, end } of subtrees) expect(parts.get(`${start}-${end}`)).toEqual(reference(start, end, wire));
      sum.clear();
      expect(sum.next()).toBe(first);
    }
  },
);

test("the tree is core's", () => {
  const shards = [0, 1, 2, 3, 4, 5];
  expect(reference(0, 6, "fp32")).toEqual(treeSum(shards.map(vector), new Float32Array(LENGTH)));
});

test("log2 of the shards plus one buffers are enough, step after step", () => {
  const shards = [0, 1, 2, 3, 4, 5, 6, 7];
  const sum = new SubtreeSum({ length: 4, shards, total: 8, wire: "fp32" });
  const seen = new Set<Float32Array>();
  for (let step = 0; step < 3; step++) {
    for (const _ of shards.slice(1)) {
      seen.add(sum.next());
      sum.add();
    }
    seen.add(sum.next());
    sum.close();
    sum.clear();
  }
  expect(seen.size).toBe(4);
});

test("a step that failed half way leaves nothing behind", () => {
  const sum = new SubtreeSum({ length: 1, shards: [0, 1], total: 2, wire: "fp32" });
  sum.next()[0] = 100;
  sum.add();
  sum.next()[0] = 100;
  sum.clear();
  for (const value of [1, 2]) {
    sum.next()[0] = value;
    if (value === 1) sum.add();
  }
  expect([...sum.close().values()]).toEqual([Float32Array.of(3)]);
});

test("calls out of order are refused", () => {
  const sum = new SubtreeSum({ length: 1, shards: [0, 1], total: 2, wire: "fp32" });
  expect(() => sum.add()).toThrow(/call next/);
  sum.next();
  expect(() => sum.close()).toThrow(/1 of 2 shards/);
});
