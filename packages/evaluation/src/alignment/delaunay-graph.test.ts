import { readFile } from "node:fs/promises";
import { Delaunay } from "d3-delaunay";
import { expect, test } from "vitest";
import { countEdges, scoreComponents } from "./components.ts";
import { type DelaunayOptions, delaunayGraph } from "./delaunay-graph.ts";
import { distil } from "./distil.ts";
import { NeighbourGraph } from "./neighbour-graph.ts";
import { clouds, lattice, onSphere } from "./points.testing.ts";
import { completeSpanningTree, spanningTree, squaredDistance } from "./spanning-tree.ts";

const plane = clouds(11, 120, 2, 3, 0.4);
const planeEdges = exactEdges(plane);
const solid = JSON.parse(await readFile(new URL("./fixtures/delaunay-3d.json", import.meta.url), "utf8")) as {
  points: number[];
  edges: [number, number][];
};

test("in 2 dimensions every edge is one of the exact graph, and more lines find more of it, down to the smallest faces", async () => {
  const exact = new Set(planeEdges);
  const found = await Promise.all([10, 200, 5000, 65535].map((rays) => edgesOf(plane, 2, { rays })));
  for (const edges of found) expect(edges.filter((edge) => !exact.has(edge))).toEqual([]);
  const counts = found.map((edges) => edges.length);
  expect(counts).toEqual([...counts].sort((a, b) => a - b));
  expect(counts.at(-1)).toBe(exact.size);
});

test("in 3 dimensions the graph is Qhull's", async () => {
  const edges = await edgesOf(Float64Array.from(Float32Array.from(solid.points)), 3, { rays: 65535 });
  expect(edges).toEqual(solid.edges.map(([a, b]) => `${a}-${b}`).sort());
});

test("scores from random lines are those from the exact graph", async () => {
  const { graph, points, order } = await delaunayGraph(optionsOf(plane, 2, { rays: 20_000 }));
  const exact = new NeighbourGraph(120);
  const placeOf = inverse(order);
  for (const edge of planeEdges) {
    const [a, b] = edge.split("-").map((point) => placeOf[Number(point)]!) as [number, number];
    exact.join(a, b);
  }
  const score = async (some: NeighbourGraph) => {
    const componentOf = distil(await spanningTree(points, 2, some), placeOf, 10);
    const contents = {
      reference: Uint32Array.from(order, (point) => (point < 70 ? 1 : 0)),
      evaluated: Uint32Array.from(order, (point) => (point < 70 ? 0 : 1)),
      componentOf: Int32Array.from(order, (point) => componentOf[point]!),
    };
    return scoreComponents(some, contents, { componentConsistency: 0, componentQuality: 0 });
  };
  const scores = await score(graph);
  expect(scores).toEqual(await score(exact));
  expect(scores.components.length).toBeGreaterThan(1);
});

test("on a square lattice no line finds a diagonal, whose face is a point", async () => {
  const edges = await edgesOf(lattice(12, 2), 2, { rays: 5000 });
  expect(edges).toHaveLength(2 * 12 * 11);
});

test.each([
  ["clusters in 16 dimensions", clouds(2, 300, 16, 5, 0.1), 16],
  ["a cloud in 3 dimensions", clouds(3, 200, 3, 1, 1), 3],
] as const)("Prim's tree over all pairs is the tree over the graph: %s", async (_, points, dim) => {
  const found = await delaunayGraph(optionsOf(points, dim, { rays: 2000 }));
  expect(await spanningTree(found.points, dim, found.graph)).toEqual(await completeSpanningTree(found.points, dim));
});

test("coverage of the sphere drops far edges and keeps the nearest", async () => {
  const dim = 4;
  const cloud = onSphere(clouds(13, 100, dim, 1, 1), dim); // no lonely points, which the filter would cut off
  const shares = [0.8, 0.95, 1];
  const graphs = await Promise.all(shares.map((sphereCoverage) => edgesOf(cloud, dim, { rays: 2000, sphereCoverage })));
  const [few = [], most = [], all = []] = graphs;
  expect(few.filter((edge) => !most.includes(edge))).toEqual([]);
  expect(most.filter((edge) => !all.includes(edge))).toEqual([]);
  expect(few.length).toBeLessThan(most.length);
  expect(most.length).toBeLessThan(all.length);
  const nearest = Array.from({ length: 100 }, (_, i) => edgeName(i, nearestTo(cloud, dim, i)));
  expect(nearest.filter((edge) => !few.includes(edge))).toEqual([]);
});

test("one line is enough for a graph in one piece: along it every point but the last has a neighbour further on", async () => {
  const { graph } = await delaunayGraph(optionsOf(clouds(5, 400, 8, 40, 0.001), 8, { rays: 1 }));
  expect(graph.parts).toBe(1);
});

test("a graph that coverage cuts into parts is an error that says what to change", async () => {
  const far = optionsOf(clouds(5, 400, 8, 2, 0.001), 8, { rays: 500, sphereCoverage: 0.01 });
  await expect(delaunayGraph(far)).rejects.toThrow(/400 points fell into \d+ parts .* raise sphereCoverage/);
});

test("two threads and one give the graph of the caller's own", async () => {
  const points = clouds(6, 500, 8, 5, 0.1);
  const graphs = await Promise.all(
    [0, 1, 2].map(async (threads) => {
      const { graph, pairsEvaluated } = await delaunayGraph(optionsOf(points, 8, { rays: 300, threads }));
      return { edges: listEdges(graph), pairsEvaluated };
    }),
  );
  expect(graphs[1]).toEqual(graphs[0]);
  expect(graphs[2]).toEqual(graphs[0]);
});

test("another seed draws other lines", async () => {
  const one = await edgesOf(plane, 2, { rays: 5, seed: 1 });
  expect(await edgesOf(plane, 2, { rays: 5, seed: 2 })).not.toEqual(one);
});

test("all edges of a graph are counted by what they join", async () => {
  const graph = new NeighbourGraph(3);
  graph.join(0, 1);
  graph.join(1, 2);
  const contents = {
    reference: Uint32Array.of(2, 1, 0), // two copies at site 0
    evaluated: Uint32Array.of(0, 1, 1),
    componentOf: new Int32Array(3),
  };
  // inside site 0: 1, inside site 1: 1 (mixed), 0-1: 4 (2 mixed), 1-2: 2 (1 mixed)
  expect(countEdges(graph, contents)).toEqual({ edges: 8, heterogeneousEdges: 4 });
});

function optionsOf(points: Float64Array, dim: number, options: Partial<DelaunayOptions>): DelaunayOptions {
  return { points, dim, rays: 100, seed: 0, sphereCoverage: 1, threads: 0, memoryBytes: 1e8, ...options };
}

/** Edges between the given points as "smaller-larger", sorted. */
async function edgesOf(points: Float64Array, dim: number, options: Partial<DelaunayOptions>): Promise<string[]> {
  const { graph, order } = await delaunayGraph(optionsOf(points, dim, options));
  return listEdges(graph)
    .map(([a, b]) => edgeName(order[a]!, order[b]!))
    .sort();
}

function listEdges(graph: NeighbourGraph): [number, number][] {
  const neighbours = new Uint32Array(graph.sites);
  return Array.from({ length: graph.sites }, (_, site) =>
    [...neighbours.subarray(0, graph.neighbours(site, neighbours))]
      .filter((other) => other > site)
      .map((other): [number, number] => [site, other]),
  ).flat();
}

function nearestTo(points: Float64Array, dim: number, i: number): number {
  const others = Array.from({ length: points.length / dim }, (_, j) => j).filter((j) => j !== i);
  const distance = (j: number) => squaredDistance(points, dim, i, j);
  return others.reduce((best, j) => (distance(j) < distance(best) ? j : best));
}

function exactEdges(points: Float64Array): string[] {
  const delaunay = new Delaunay(points);
  const edges = new Set<string>();
  for (let i = 0; i < points.length / 2; i++) for (const j of delaunay.neighbors(i)) edges.add(edgeName(i, j));
  return [...edges].sort();
}

function edgeName(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}

function inverse(order: Uint32Array): Uint32Array {
  const places = new Uint32Array(order.length);
  order.forEach((point, place) => {
    places[point] = place;
  });
  return places;
}
