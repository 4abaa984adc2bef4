import { expect, test } from "vitest";
import { firstNonFinite } from "./finite.ts";

test("a NaN or an infinity is found wherever it stands", () => {
  for (const length of [1, 7, 8, 9, 64, 1003]) {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const place of [0, length >> 1, length - 1]) {
        const values = new Float32Array(length).fill(1e38);
        values[place] = value;
        expect(firstNonFinite(values)).toBe(place);
      }
    }
  }
});

test("of several the first is named, also when two infinities cancel", () => {
  const values = new Float32Array(20);
  values[9] = Number.POSITIVE_INFINITY;
  values[17] = Number.NEGATIVE_INFINITY;
  expect(firstNonFinite(values)).toBe(9);
});

test("the largest finite values are finite, and so is nothing at all", () => {
  expect(firstNonFinite(new Float32Array(100_000).fill(3.4028234663852886e38))).toBe(-1);
  expect(firstNonFinite(new Float32Array(0))).toBe(-1);
});
