import { expect, test } from "vitest";
import { relativeError } from "./relative-error.ts";

test("the error is the difference's length by the reference's", () => {
  expect(relativeError([3, 4.5], [3, 4])).toBeCloseTo(0.1, 12);
  expect(relativeError([0, 0], [0, 0])).toBe(0);
  expect(relativeError([1], [0])).toBe(Number.POSITIVE_INFINITY);
});

test("NaN stays visible, and other lengths are refused", () => {
  expect(relativeError([Number.NaN], [1])).toBeNaN();
  expect(() => relativeError([1], [1, 2])).toThrow(/1 values against 2/);
});
