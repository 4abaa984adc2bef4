import { expect, test } from "vitest";
import { ValueStatistics } from "./value-statistics.ts";

test("a large mean costs the standard deviation no digits", () => {
  const statistics = new ValueStatistics();
  statistics.add(Float64Array.from([1e9 + 1, 1e9 + 2]));
  statistics.add(Float64Array.from([1e9 + 3, 1e9 + 4]));
  expect(statistics.result()).toEqual({ mean: 1e9 + 2.5, std: Math.sqrt(1.25), min: 1e9 + 1, max: 1e9 + 4 });
});

test("scale and offset apply to all four, a negative scale turns the range", () => {
  const statistics = new ValueStatistics();
  statistics.add(Int16Array.of(0, 2));
  expect(statistics.result(-3, 1)).toEqual({ mean: -2, std: 3, min: -5, max: 1 });
});

test("the first number that is not finite is told", () => {
  expect(new ValueStatistics().add(Float32Array.of(1, Number.POSITIVE_INFINITY, Number.NaN))).toBe(1);
  expect(new ValueStatistics().add(Float32Array.of(1, 2))).toBe(-1);
});
