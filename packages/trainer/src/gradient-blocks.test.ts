import { addInto } from "@gmc/core";
import { expect, test } from "vitest";
import { borrowBlocks } from "./gradient-blocks.ts";
import { linearReplica } from "./linear-replica.testing.ts";

test("one generation after another uses the same blocks of a replica, two at a time do not share", () => {
  const made: Float32Array[] = [];
  const allocate = (): Float32Array => {
    const block = new Float32Array(4);
    made.push(block);
    return block;
  };
  const replica = { ...linearReplica(), gradientBlocks: { allocate, add: addInto } };
  const first = borrowBlocks(replica)!;
  const [a, b] = [first.allocate(), first.allocate()];
  const beside = borrowBlocks(replica)!;
  expect([a, b]).not.toContain(beside.allocate());
  first.close();
  first.close();
  const next = borrowBlocks(replica)!;
  expect(new Set([next.allocate(), next.allocate()])).toEqual(new Set([a, b]));
  next.allocate();
  expect(made.length).toBe(4);
  expect(borrowBlocks(linearReplica())).toBe(undefined);
});
