import type { ShardForward } from "@gmc/core";
import { expect, test } from "vitest";
import { blockLength, layoutOf, packForward, unpackForward } from "./forward-block.ts";

test.each<ShardForward>([
  { embeddings: Float32Array.of(1, 2, 3), localLoss: 0.1 + 0.2, batchStatistics: Float32Array.of(4, 5) },
  { embeddings: Float32Array.of(1, 2, 3) },
  { localLoss: Number.NaN, batchStatistics: Float32Array.of(4) },
  { localLoss: 1e-320 },
  {},
])("a forward comes back from its block, the local loss in all its bits: %j", (forward) => {
  const layout = layoutOf(forward);
  const block = new Float32Array(blockLength(layout));
  packForward(forward, block);
  expect(unpackForward(block, layout)).toEqual(forward);
});
