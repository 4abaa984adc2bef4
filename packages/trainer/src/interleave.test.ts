import { expect, test } from "vitest";
import { interleave } from "./interleave.ts";

test("shards' blocks stand side by side within every set", () => {
  const blocks = [Float32Array.of(1, 2, 11, 12), Float32Array.of(3, 4, 13, 14), Float32Array.of(5, 6, 15, 16)];
  expect([...interleave(blocks, 2, new Float32Array(12))]).toEqual([1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]);
});

test("one block is given back as it is", () => {
  const block = Float32Array.of(1, 2);
  expect(interleave([block], 2, new Float32Array(0))).toBe(block);
});
