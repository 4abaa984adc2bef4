import { normalAt, randomKey } from "@gmc/core";

/** Points of `groups` round clouds, [n, dim], float32 values in float64: point i belongs to cloud i % groups. */
export function clouds(seed: number, n: number, dim: number, groups: number, spread: number): Float64Array {
  const noise = randomKey(seed, "test/noise");
  const centres = randomKey(seed, "test/centres");
  return Float64Array.from({ length: n * dim }, (_, i) => {
    const row = Math.floor(i / dim);
    const centre = normalAt(centres, (row % groups) * dim + (i % dim));
    return Math.fround(centre + spread * normalAt(noise, i));
  });
}

/** The points moved to the unit sphere. */
export function onSphere(points: Float64Array, dim: number): Float64Array {
  return points.map((value, i) => {
    const row = points.subarray(i - (i % dim), i - (i % dim) + dim);
    return Math.fround(value / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0)));
  });
}

/** All points with whole coordinates from 0 to side - 1. */
export function lattice(side: number, dim: number): Float64Array {
  return Float64Array.from({ length: side ** dim * dim }, (_, i) => {
    const axis = i % dim;
    return Math.floor(Math.floor(i / dim) / side ** axis) % side;
  });
}
