/** Neighbours of each of n points, the point itself first, then by growing distance, equal ones by index. */
export interface NearestNeighbours {
  readonly indices: number[][];
  readonly distances: number[][];
}

/**
 * The exact k nearest of all points, each point counted as its own first neighbour.
 *
 * @param points  [n, dim], n of k or more
 * @param breathe awaited now and then; it may throw to stop
 */
export async function nearestNeighbours(
  points: Float32Array,
  dim: number,
  k: number,
  breathe: () => Promise<void>,
): Promise<NearestNeighbours> {
  const count = points.length / dim;
  const indices: number[][] = [];
  const distances: number[][] = [];
  for (let point = 0; point < count; point++) {
    if (point % 64 === 63) await breathe();
    const best = nearestOf(points, dim, point, k);
    indices.push([point, ...best.map(({ index }) => index)]);
    distances.push([0, ...best.map(({ squared }) => Math.sqrt(squared))]);
  }
  return { indices, distances };
}

interface Candidate {
  readonly index: number;
  readonly squared: number;
}

/** The k - 1 nearest others, kept sorted while all are looked at. */
function nearestOf(points: Float32Array, dim: number, point: number, k: number): Candidate[] {
  const best: Candidate[] = [];
  let limit = Number.POSITIVE_INFINITY;
  for (let index = 0; index < points.length / dim; index++) {
    if (index === point) continue;
    let squared = 0;
    for (let i = 0; i < dim && squared < limit; i++) {
      const difference = (points[point * dim + i] ?? 0) - (points[index * dim + i] ?? 0);
      squared += difference * difference;
    }
    if (squared >= limit) continue;
    const place = best.findIndex((other) => other.squared > squared);
    best.splice(place < 0 ? best.length : place, 0, { index, squared });
    if (best.length === k) best.pop();
    if (best.length === k - 1) limit = best.at(-1)?.squared ?? limit;
  }
  return best;
}
