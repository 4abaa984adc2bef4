import { expect, test } from "vitest";
import { retryDelayMs } from "./retry-delay.ts";

test("waits double from 50 ms to 2 s, and the random half keeps workers apart", () => {
  const longest = [1, 2, 3, 7, 50].map((attempt) => retryDelayMs(attempt, () => 1));
  expect(longest).toEqual([50, 100, 200, 2000, 2000]);
  expect([1, 50].map((attempt) => retryDelayMs(attempt, () => 0))).toEqual([25, 1000]);
});
