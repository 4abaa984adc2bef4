import { extractClusters, NOISE } from "./clusters.ts";
import { singleLinkage } from "./single-linkage.ts";
import type { Tree } from "./spanning-tree.ts";

/**
 * Components of points: HDBSCAN's clusters on their minimum spanning tree, numbered from 0 by size, then by first point.
 *
 * @param tree     minimum spanning tree over the places of distinct points
 * @param placeOf  [points] place of each point; points of one place are equal
 * @returns [points] component, or `NOISE`
 */
export function distil(tree: Tree, placeOf: Uint32Array, minClusterSize: number): Int32Array {
  return numberBySize(extractClusters(singleLinkage(withCopies(tree, placeOf)), minClusterSize));
}

/** The tree over all points: the places' tree over the first point of each, and edges of length 0 to the others. */
function withCopies(tree: Tree, placeOf: Uint32Array): Tree {
  const places = tree.squared.length + 1;
  const firstAt = new Int32Array(places).fill(-1);
  const from: number[] = [];
  const to: number[] = [];
  placeOf.forEach((place, point) => {
    const first = firstAt[place] ?? -1;
    if (first < 0) {
      firstAt[place] = point;
      return;
    }
    from.push(first);
    to.push(point);
  });
  const pointOf = (place: number) => firstAt[place] ?? 0;
  const joined = {
    from: new Uint32Array(placeOf.length - 1),
    to: new Uint32Array(placeOf.length - 1),
    squared: new Float64Array(placeOf.length - 1),
  };
  joined.from.set(from);
  joined.to.set(to);
  joined.from.set(tree.from.map(pointOf), from.length);
  joined.to.set(tree.to.map(pointOf), from.length);
  joined.squared.set(tree.squared, from.length);
  return joined;
}

function numberBySize(clusters: Int32Array): Int32Array {
  const sizes: number[] = [];
  const first: number[] = [];
  clusters.forEach((cluster, point) => {
    if (cluster === NOISE) return;
    sizes[cluster] = (sizes[cluster] ?? 0) + 1;
    first[cluster] ??= point;
  });
  const order = sizes.map((_, cluster) => cluster);
  order.sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || (first[a] ?? 0) - (first[b] ?? 0));
  const rank: number[] = [];
  order.forEach((cluster, place) => {
    rank[cluster] = place;
  });
  return clusters.map((cluster) => rank[cluster] ?? NOISE);
}
