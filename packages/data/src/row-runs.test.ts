import { expect, test } from "vitest";
import { planRuns } from "./row-runs.ts";

test("neighbours and repeats share a run, distant rows do not", () => {
  const { places, runs } = planRuns(Uint32Array.of(9, 2, 3, 2, 20), 0, 100);
  expect([...places].map((place) => [9, 2, 3, 2, 20][place])).toEqual([2, 2, 3, 9, 20]);
  expect(runs).toEqual([
    { firstRow: 2, rows: 2, from: 0, to: 3 },
    { firstRow: 9, rows: 1, from: 3, to: 4 },
    { firstRow: 20, rows: 1, from: 4, to: 5 },
  ]);
});

test("a run goes on over gaps up to the limit and stays within its length", () => {
  expect(planRuns(Uint32Array.of(0, 3, 7), 2, 100).runs.map((run) => run.rows)).toEqual([4, 1]);
  expect(planRuns(Uint32Array.of(0, 1, 2, 3, 4), 0, 2).runs.map((run) => run.rows)).toEqual([2, 2, 1]);
  expect(planRuns(new Uint32Array(0), 0, 1).runs).toEqual([]);
});
