import { expect, test } from "vitest";
import { integerAt, normalAt, permutation, randomKey, threefry, uniformAt } from "./random.ts";

test("threefry gives the published known answers (Random123, threefry2x32 with 20 rounds)", () => {
  const answer = (k0: number, k1: number, x0: number, x1: number) =>
    threefry({ k0, k1 }, x0, x1).map((word) => word.toString(16).padStart(8, "0"));
  expect(answer(0, 0, 0, 0)).toEqual(["6b200159", "99ba4efe"]);
  expect(answer(-1, -1, -1, -1)).toEqual(["1cb996fc", "bb002be7"]);
  expect(answer(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3)).toEqual(["c4923a9c", "483df7a0"]);
});

test("keys differ by seed, purpose and every counter, also above 2^32", () => {
  const keys = [
    randomKey(1, "a"),
    randomKey(2, "a"),
    randomKey(1, "b"),
    randomKey(1, "a", 0),
    randomKey(1, "a", 1),
    randomKey(1, "a", 2 ** 32 + 1),
    randomKey(1, "a", 0, 0),
  ];
  expect(new Set(keys.map((key) => `${key.k0},${key.k1}`)).size).toBe(keys.length);
});

test("a seed or counter that is not a whole number from 0 is refused", () => {
  for (const bad of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => randomKey(bad, "a")).toThrow(RangeError);
});

test("uniform numbers have mean 1/2 and variance 1/12 and stay in [0, 1)", () => {
  const key = randomKey(7, "uniform");
  const draws = Array.from({ length: 100_000 }, (_, i) => uniformAt(key, i));
  const mean = draws.reduce((a, b) => a + b) / draws.length;
  const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / draws.length)); // four standard errors
  expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.001);
  expect(draws.every((u) => u >= 0 && u < 1)).toBe(true);
});

test("normal numbers have mean 0, variance 1 and finite tails", () => {
  const key = randomKey(7, "normal");
  const draws = Array.from({ length: 100_000 }, (_, i) => normalAt(key, i));
  const mean = draws.reduce((a, b) => a + b) / draws.length;
  const variance = draws.reduce((a, b) => a + b * b, 0) / draws.length;
  expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(draws.length));
  expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / draws.length));
  expect(draws.every(Number.isFinite)).toBe(true);
});

test("a permutation holds every index once, and every place sees every index", () => {
  const first = new Set<number>();
  for (let epoch = 0; epoch < 200; epoch++) {
    const order = permutation(randomKey(3, "order", epoch), 10);
    expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    first.add(order[0]!);
  }
  expect(first.size).toBe(10);
  expect(permutation(randomKey(3, "order"), 0)).toHaveLength(0);
});

test("integers cover [0, bound)", () => {
  const key = randomKey(1, "integers");
  const seen = new Set(Array.from({ length: 200 }, (_, i) => integerAt(key, i, 5)));
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
});
