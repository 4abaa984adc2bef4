import { setImmediate } from "node:timers/promises";
import type { NeighbourGraph } from "./neighbour-graph.ts";

/** Edges of a tree; `squared[i]` is the squared length of the edge from `from[i]` to `to[i]`. */
export interface Tree {
  readonly from: Uint32Array;
  readonly to: Uint32Array;
  readonly squared: Float64Array;
}

/**
 * Minimum spanning tree of a connected graph over points by Prim's algorithm, in the order in which it grows from
 * point 0.
 *
 * @param points  [sites, dim]
 * @param breathe called now and then; it may throw to stop
 */
export async function spanningTree(
  points: Float64Array,
  dim: number,
  graph: NeighbourGraph,
  breathe: () => void = () => {},
): Promise<Tree> {
  const neighbours = new Uint32Array(graph.sites);
  return grow(points, dim, neighbours, (site) => graph.neighbours(site, neighbours), breathe);
}

/** Minimum spanning tree over all pairs of points: what the tree on their Delaunay graph is too. */
export async function completeSpanningTree(points: Float64Array, dim: number): Promise<Tree> {
  const all = Uint32Array.from({ length: points.length / dim }, (_, i) => i);
  return grow(
    points,
    dim,
    all,
    () => all.length,
    () => {},
  );
}

async function grow(
  points: Float64Array,
  dim: number,
  neighbours: Uint32Array,
  findNeighbours: (site: number) => number,
  breathe: () => void,
): Promise<Tree> {
  const sites = points.length / dim;
  const edges = Math.max(0, sites - 1);
  const tree = { from: new Uint32Array(edges), to: new Uint32Array(edges), squared: new Float64Array(edges) };
  const shortest = new Float64Array(sites).fill(Number.POSITIVE_INFINITY); // of the edges from the tree to each site
  const origin = new Uint32Array(sites);
  const inside = new Uint8Array(sites);
  let site = 0;
  for (let edge = 0; edge <= edges; edge++) {
    inside[site] = 1;
    const count = findNeighbours(site);
    for (let i = 0; i < count; i++) {
      const next = neighbours[i] ?? 0;
      if (inside[next] === 1) continue;
      const limit = shortest[next] ?? 0;
      const squared = squaredDistance(points, dim, site, next, limit);
      if (squared >= limit) continue;
      shortest[next] = squared;
      origin[next] = site;
    }
    if (edge === edges) break;
    site = nearestOutside(shortest, inside);
    tree.from[edge] = origin[site] ?? 0;
    tree.to[edge] = site;
    tree.squared[edge] = shortest[site] ?? 0;
    if (edge % 128 === 127) {
      await setImmediate();
      breathe();
    }
  }
  return tree;
}

function nearestOutside(shortest: Float64Array, inside: Uint8Array): number {
  let nearest = -1;
  let smallest = Number.POSITIVE_INFINITY;
  for (let site = 0; site < shortest.length; site++) {
    const squared = shortest[site] ?? 0;
    if (squared < smallest && inside[site] === 0) {
      smallest = squared;
      nearest = site;
    }
  }
  if (nearest < 0) throw new RangeError("spanningTree: the graph is not connected");
  return nearest;
}

/** Squared distance of two points, summed in order; at least `limit` when it is given up on the way. */
export function squaredDistance(
  points: Float64Array,
  dim: number,
  a: number,
  b: number,
  limit = Number.POSITIVE_INFINITY,
): number {
  const first = a * dim;
  const second = b * dim;
  let squared = 0;
  for (let k = 0; k < dim; k++) {
    const difference = (points[first + k] ?? 0) - (points[second + k] ?? 0);
    squared += difference * difference;
    if ((k & 15) === 15 && squared >= limit) return squared;
  }
  return squared;
}
