import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { extractClusters, NOISE } from "./clusters.ts";
import { singleLinkage } from "./single-linkage.ts";
import { completeSpanningTree } from "./spanning-tree.ts";

interface Case {
  readonly name: string;
  readonly dim: number;
  readonly points: readonly number[];
  /** By minimum cluster size. */
  readonly labels: Readonly<Record<string, readonly number[]>>;
}

const file = await readFile(new URL("./fixtures/hdbscan-labels.json", import.meta.url), "utf8");
const cases = (JSON.parse(file) as { cases: Case[] }).cases.flatMap(({ labels, ...rest }) =>
  Object.entries(labels).map(([minClusterSize, expected]) => ({ ...rest, minClusterSize, expected })),
);

test.each(cases)("$name, at least $minClusterSize points: the clusters of Python's hdbscan", async (given) => {
  const points = Float64Array.from(Float32Array.from(given.points));
  const found = await clustersOf(points, given.dim, Number(given.minClusterSize));
  expect(canonical(found)).toEqual(canonical(given.expected));
});

test("copies of a point do not make the clusters depend on the order of points", async () => {
  const rows = [0, 0, 0, 0, 1, 1, 1, 1, 1, 9, 9.1, 9.3, 9.3, 9.3, 9.4];
  const found = await clustersOf(Float64Array.from(rows), 1, 3);
  expect(canonical(found)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
  const reversed = await clustersOf(Float64Array.from([...rows].reverse()), 1, 3);
  expect(canonical([...reversed].reverse())).toEqual(canonical(found));
});

test("merges at one distance count as one: a regular grid has no clusters", async () => {
  const grid = Array.from({ length: 144 }, (_, i) => [i % 12, Math.floor(i / 12)]).flat();
  const found = await clustersOf(Float64Array.from(grid), 2, 10);
  expect(new Set(found)).toEqual(new Set([NOISE]));
});

test("equal points have no clusters, for the whole is never one", async () => {
  const found = await clustersOf(new Float64Array(40).fill(3), 2, 5);
  expect([...found]).toEqual(new Array(20).fill(NOISE));
});

test("a single point is noise", async () => {
  expect([...(await clustersOf(Float64Array.of(1, 2), 2, 2))]).toEqual([NOISE]);
});

async function clustersOf(points: Float64Array, dim: number, minClusterSize: number): Promise<Int32Array> {
  return extractClusters(singleLinkage(await completeSpanningTree(points, dim)), minClusterSize);
}

/** Labels renumbered in the order in which they appear. */
function canonical(labels: Iterable<number>): number[] {
  const names = new Map<number, number>([[NOISE, NOISE]]);
  return Array.from(labels, (label) => {
    const known = names.get(label) ?? names.size - 1;
    names.set(label, known);
    return known;
  });
}
