import { expect, test } from "vitest";
import { nextBuffers } from "./running-buffers.ts";

const model = {
  buffers: [
    { name: "mean", shape: [2], initial: 0, momentum: 0.1 },
    { name: "variance", shape: [1], initial: 1, momentum: 0.5 },
  ],
};

test("buffers take one momentum step from the mean over shards", () => {
  const before = Float32Array.of(1, 2, 3);
  const after = nextBuffers(model, before, [Float32Array.of(1, 0, 4), Float32Array.of(3, 4, 8)]);
  expect([...after]).toEqual([0.9 * 1 + 0.1 * 2, 0.9 * 2 + 0.1 * 2, 0.5 * 3 + 0.5 * 6].map(Math.fround));
  expect([...before]).toEqual([1, 2, 3]);
});

test("a model without buffers keeps its empty block", () => {
  const none = new Float32Array(0);
  expect(nextBuffers({ buffers: [] }, none, [none, none])).toBe(none);
});
