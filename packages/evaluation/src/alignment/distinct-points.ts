/** A set of points with equal ones put together. */
export interface DistinctPoints {
  /** [sites] index of the first point of each site, ascending. */
  readonly firstOf: Uint32Array;
  /** [points] the site of each point. */
  readonly siteOf: Uint32Array;
}

/**
 * Sites of a set of points: one for all points with the same coordinates (-0 equals 0).
 *
 * @param points  [n, dim]
 */
export function distinctPoints(points: Float32Array, dim: number): DistinctPoints {
  const count = points.length / dim;
  const words = new Uint32Array(points.map((value) => value + 0).buffer); // + 0 turns -0 into 0
  const buckets = new Map<number, number[]>(); // hash → sites
  const firstOf: number[] = [];
  const siteOf = new Uint32Array(count);
  for (let point = 0; point < count; point++) {
    const hash = hashRow(words, point * dim, dim);
    const bucket = buckets.get(hash) ?? [];
    let site = bucket.find((candidate) => sameRow(words, (firstOf[candidate] ?? 0) * dim, point * dim, dim));
    if (site === undefined) {
      site = firstOf.push(point) - 1;
      bucket.push(site);
      buckets.set(hash, bucket);
    }
    siteOf[point] = site;
  }
  return { firstOf: Uint32Array.from(firstOf), siteOf };
}

/**
 * Rows that are left when values are rounded and equal rows are put together, in order of first appearance: what the
 * paper's protocol does with the codes of labels (4 decimals, ten rows).
 *
 * @param rows  [n, dim]
 */
export function uniqueRows(rows: Float32Array, dim: number, decimals: number): Float32Array {
  const scale = 10 ** decimals;
  const rounded = rows.map((value) => Math.round(value * scale) / scale);
  const { firstOf } = distinctPoints(rounded, dim);
  const result = new Float32Array(firstOf.length * dim);
  firstOf.forEach((row, place) => {
    result.set(rounded.subarray(row * dim, (row + 1) * dim), place * dim);
  });
  return result;
}

/** FNV-1a over 32-bit words. */
function hashRow(words: Uint32Array, start: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ (words[i] ?? 0), 0x01000193);
  return hash;
}

function sameRow(words: Uint32Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (words[a + i] !== words[b + i]) return false;
  return true;
}
