import { expect, test } from "vitest";
import { distinctPoints, uniqueRows } from "./distinct-points.ts";

test("equal points share a site, in order of first appearance; -0 is 0", () => {
  const { firstOf, siteOf } = distinctPoints(Float32Array.of(1, 0, 2, 3, 1, -0, 2, 3, 5, 5), 2);
  expect([...firstOf]).toEqual([0, 1, 4]);
  expect([...siteOf]).toEqual([0, 1, 0, 1, 2]);
});

test("rows that agree in four decimals become one", () => {
  const rows = uniqueRows(Float32Array.of(0.12341, 1, 0.12339, 1, 0.1235, 1), 2, 4);
  expect([...rows]).toEqual([Math.fround(0.1234), 1, Math.fround(0.1235), 1]);
});
