import type { Linkage } from "./single-linkage.ts";

/** Not in any cluster. */
export const NOISE = -1;

/**
 * HDBSCAN's clusters of a single linkage: the tree condensed to groups of `minClusterSize` points or more, of which those
 * with the greatest excess of mass are taken, never the whole as one cluster. As Python's hdbscan with its defaults (Campello
 * et al. 2013; McInnes et al. 2017), but for merges at equal distances: they count as one merge of many groups, so that
 * the result does not depend on the order of points.
 *
 * @param minClusterSize  2 or more
 * @returns [points] cluster of each point, numbered from 0, or `NOISE`
 */
export function extractClusters(linkage: Linkage, minClusterSize: number): Int32Array {
  const condensed = condense(linkage, minClusterSize);
  const label = labelSelected(condensed, selectByExcessOfMass(condensed));
  return condensed.clusterOf.map((cluster) => label[cluster] ?? NOISE);
}

/** The condensed tree: cluster 0 holds everything, a cluster's parent has a smaller number. */
interface CondensedTree {
  readonly parent: number[];
  /** 1 / distance at which a cluster comes into being. */
  readonly birth: number[];
  /** Σ over its points of (1 / distance at which they leave it) - birth. */
  readonly stability: number[];
  /** [points] the last cluster that each point belongs to. */
  readonly clusterOf: Int32Array;
}

function condense(linkage: Linkage, minClusterSize: number): CondensedTree {
  const { points, size } = linkage;
  const tree: CondensedTree = { parent: [-1], birth: [0], stability: [0], clusterOf: new Int32Array(points) };
  const open: (readonly [node: number, cluster: number])[] = [[2 * points - 2, 0]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [node, cluster] = next;
    if (node < points) continue; // a single point
    const distance = linkage.distance[node - points] ?? 0;
    const lambda = distance > 0 ? 1 / distance : Number.POSITIVE_INFINITY;
    const groups = groupsBelow(linkage, node, distance);
    const large = groups.filter((group) => (size[group] ?? 0) >= minClusterSize);
    for (const group of groups) {
      const points = size[group] ?? 0;
      if (points < minClusterSize) for (const point of pointsBelow(linkage, group)) tree.clusterOf[point] = cluster;
      if (points >= minClusterSize && large.length === 1) open.push([group, cluster]);
      else tree.stability[cluster] = (tree.stability[cluster] ?? 0) + points * (lambda - (tree.birth[cluster] ?? 0));
    }
    if (large.length < 2) continue;
    for (const group of large) {
      open.push([group, tree.parent.push(cluster) - 1]);
      tree.birth.push(lambda);
      tree.stability.push(0);
    }
  }
  return tree;
}

/** The groups that merge in this node at this distance: its largest parts that were formed at a smaller one. */
function groupsBelow({ points, left, right, distance }: Linkage, node: number, at: number): number[] {
  const groups: number[] = [];
  const open = [node];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const merge = part - points;
    if (merge >= 0 && distance[merge] === at) open.push(left[merge] ?? 0, right[merge] ?? 0);
    else groups.push(part);
  }
  return groups;
}

function* pointsBelow({ points, left, right }: Linkage, node: number): Iterable<number> {
  const open = [node];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if (part < points) yield part;
    else open.push(left[part - points] ?? 0, right[part - points] ?? 0);
  }
}

/** True for the clusters that are kept: each more stable than all kept clusters inside it, but never cluster 0. */
function selectByExcessOfMass({ parent, stability }: CondensedTree): boolean[] {
  const inside = new Array<number>(parent.length).fill(0); // best stability of the clusters within each
  const better = new Array<boolean>(parent.length).fill(false);
  for (let cluster = parent.length - 1; cluster > 0; cluster--) {
    const own = stability[cluster] ?? 0;
    const parts = inside[cluster] ?? 0;
    better[cluster] = !(parts > own);
    const above = parent[cluster] ?? 0;
    inside[above] = (inside[above] ?? 0) + Math.max(own, parts);
  }
  const covered = new Array<boolean>(parent.length).fill(false); // within a kept cluster
  return parent.map((above, cluster) => {
    covered[cluster] = above >= 0 && ((covered[above] ?? false) || (better[above] ?? false));
    return (better[cluster] ?? false) && !covered[cluster];
  });
}

/** Number of the kept cluster that holds each condensed cluster, or NOISE. */
function labelSelected({ parent }: CondensedTree, selected: readonly boolean[]): number[] {
  const label: number[] = [];
  let count = 0;
  parent.forEach((above, cluster) => {
    label.push(selected[cluster] ? count++ : (label[above] ?? NOISE));
  });
  return label;
}
