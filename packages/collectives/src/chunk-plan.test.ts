import { expect, test } from "vitest";
import { chunkPlan } from "./chunk-plan.ts";

test.each([
  [1, 2, 1],
  [15, 3, 2],
  [4097, 2, 2],
  [65_537, 5, 3],
  [2_880_000, 2, 1],
  [2_880_000, 4, 3],
  [100_000_000, 64, 4],
])(
  "%d numbers over %d ranks and %d servers: pieces cover the vector once, and the work is spread",
  (length, ranks, servers) => {
    const plan = chunkPlan("12/image", length, 65_536, ranks, servers);
    let next = 0;
    for (const { index, first, count } of plan) {
      expect(plan[index]?.first).toBe(first);
      expect(first).toBe(next);
      expect(count).toBeGreaterThan(0);
      next = first + count;
    }
    expect(next).toBe(length);
    const perOwner = Array.from({ length: ranks }, (_, rank) => plan.filter((chunk) => chunk.owner === rank).length);
    expect(Math.max(...perOwner) - Math.min(...perOwner)).toBeLessThanOrEqual(1);
    expect(plan.every(({ server }) => server >= 0 && server < servers)).toBe(true);
  },
);

test("nothing is cut into nothing, and small vectors of different tags do not all go to one rank", () => {
  expect(chunkPlan("1/a", 0, 65_536, 3, 1)).toEqual([]);
  const owners = Array.from({ length: 60 }, (_, step) => chunkPlan(`${step}/bias`, 100, 65_536, 3, 1)[0]!.owner);
  for (const rank of [0, 1, 2]) expect(owners.filter((owner) => owner === rank).length).toBeGreaterThan(8);
});
