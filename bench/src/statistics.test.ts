import { expect, test } from "vitest";
import { median, spread } from "./statistics.ts";

test("the median is the middle value of an odd number and the mean of the two middle ones of an even number", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 9, 1, 4])).toBe(6.5);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

test("the median leaves its argument as it is and sorts by value, not by text", () => {
  const values = [100, 9, 20];
  expect(median(values)).toBe(20);
  expect(values).toEqual([100, 9, 20]);
});

test("the spread is the range as a fraction of the median", () => {
  expect(spread([110, 90, 100])).toBeCloseTo(0.2, 12);
  expect(spread([3])).toBe(0);
});
