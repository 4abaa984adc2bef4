import type { Tree } from "./spanning-tree.ts";

/**
 * Single linkage: which groups of points merge at which distance. Nodes below `points` are the points themselves; node
 * points + i is the i-th merge, by growing distance, of two nodes before it. Merges at equal distances come in some
 * order, so that a reader who cares must take them together.
 */
export interface Linkage {
  readonly points: number;
  readonly left: Uint32Array;
  readonly right: Uint32Array;
  /** Distance of each merge. */
  readonly distance: Float64Array;
  /** [2·points - 1] points in each node. */
  readonly size: Uint32Array;
}

/** @param tree  spanning tree of the points */
export function singleLinkage(tree: Tree): Linkage {
  const points = tree.squared.length + 1;
  const order = Uint32Array.from(tree.squared, (_, i) => i).sort(
    (a, b) => (tree.squared[a] ?? 0) - (tree.squared[b] ?? 0) || a - b,
  );
  const merges = order.length;
  const linkage = {
    points,
    left: new Uint32Array(merges),
    right: new Uint32Array(merges),
    distance: new Float64Array(merges),
    size: new Uint32Array(points + merges).fill(1, 0, points),
  };
  const top = Uint32Array.from({ length: points + merges }, (_, i) => i); // towards the node that holds each node
  order.forEach((edge, merge) => {
    const left = find(top, tree.from[edge] ?? 0);
    const right = find(top, tree.to[edge] ?? 0);
    const node = points + merge;
    top[left] = node;
    top[right] = node;
    linkage.left[merge] = left;
    linkage.right[merge] = right;
    linkage.distance[merge] = Math.sqrt(tree.squared[edge] ?? 0);
    linkage.size[node] = (linkage.size[left] ?? 0) + (linkage.size[right] ?? 0);
  });
  return linkage;
}

function find(top: Uint32Array, node: number): number {
  let root = node;
  for (let next = top[root] ?? root; next !== root; next = top[root] ?? root) root = next;
  let at = node;
  while (at !== root) {
    const next = top[at] ?? root;
    top[at] = root;
    at = next;
  }
  return root;
}
