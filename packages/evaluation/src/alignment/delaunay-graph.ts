import { DataError } from "@gmc/core";
import { castRays } from "./cast-rays.ts";
import { NeighbourGraph } from "./neighbour-graph.ts";
import { planRays } from "./ray-plan.ts";
import { squaredDistance } from "./spanning-tree.ts";
import { filterByCoverage, PairHits } from "./sphere-coverage.ts";

export interface DelaunayOptions {
  /** [sites, dim] distinct points. */
  readonly points: Float64Array;
  readonly dim: number;
  /** Random lines through every point, 1 to 65,535. */
  readonly rays: number;
  readonly seed: number;
  /** Below 1 a point keeps its shortest edges until they cover this share of directions; 1 keeps every edge. */
  readonly sphereCoverage: number;
  /** 0: on the caller's thread. The graph does not depend on it. */
  readonly threads: number;
  /** Memory of all threads together, in bytes. */
  readonly memoryBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
}

export interface DelaunayGraph {
  readonly graph: NeighbourGraph;
  /** [sites, dim] the points in the graph's order: near ones have near numbers. */
  readonly points: Float64Array;
  /** [sites] which of the given points each site is. */
  readonly order: Uint32Array;
  /** Share of all pairs (line through a point, other point) that were evaluated; the rest was passed over, exactly. */
  readonly pairsEvaluated: number;
}

/**
 * The Delaunay graph of points as random lines find it: a line through x in direction u leaves x's Voronoi cell towards
 * the y with the largest u·(y-x)/‖y-x‖², and towards that with the smallest on the other side. Every edge that it has is
 * one of the exact graph; those it lacks share a small face. Directions are the same for all points, ties go to the site
 * that is first in order.
 *
 * @throws {CancelledError} when the signal fires
 * @throws {DataError} when the filter cuts the graph into parts
 */
export async function delaunayGraph(options: DelaunayOptions): Promise<DelaunayGraph> {
  const { dim, rays, sphereCoverage } = options;
  const filtered = sphereCoverage < 1;
  const { plan, order } = planRays({ ...options, counted: filtered });
  const all = new NeighbourGraph(plan.sites);
  const hits = filtered ? new PairHits(plan.sites) : undefined;
  let evaluated = 0;
  await castRays(plan, options, (rows) => {
    all.joinRows(rows.start, rows.bits);
    if (rows.hits) hits?.add(rows.start, rows.hits);
    evaluated += rows.evaluated;
  });
  const points = reordered(options.points, dim, order);
  const length = (a: number, b: number) => squaredDistance(points, dim, a, b);
  const graph = hits ? filterByCoverage(all, hits, length, rays, sphereCoverage) : all;
  requireOnePart(graph, sphereCoverage);
  return { graph, points, order, pairsEvaluated: Math.min(1, evaluated / (plan.sites ** 2 * rays)) };
}

function reordered(points: Float64Array, dim: number, order: Uint32Array): Float64Array {
  const result = new Float64Array(points.length);
  order.forEach((point, place) => {
    result.set(points.subarray(point * dim, (point + 1) * dim), place * dim);
  });
  return result;
}

/** Only a filter can cut the graph: along any line every point but the last has a neighbour further on. */
function requireOnePart(graph: NeighbourGraph, sphereCoverage: number): void {
  const { parts } = graph;
  if (parts === 1) return;
  throw new DataError(
    `The Delaunay graph of ${graph.sites} points fell into ${parts} parts when edges to ${sphereCoverage} of the sphere were kept; raise sphereCoverage.`,
    { sites: graph.sites, parts, sphereCoverage },
  );
}
