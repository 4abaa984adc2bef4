import { normalAt, randomKey } from "@gmc/core";

/**
 * Random unit directions, uniform on the sphere: line t is a pure function of (seed, t), so that more lines only add to
 * fewer ones.
 *
 * @returns [rays, dim], in shared memory
 */
export function rayDirections(seed: number, rays: number, dim: number): Float64Array {
  const key = randomKey(seed, "alignment/ray");
  const directions = new Float64Array(new SharedArrayBuffer(rays * dim * 8));
  for (let ray = 0; ray < rays; ray++) {
    let squared = 0;
    for (let k = ray * dim; k < (ray + 1) * dim; k++) {
      const value = normalAt(key, k);
      directions[k] = value;
      squared += value * value;
    }
    const length = Math.sqrt(squared) || 1; // never 0 in practice: cos is not exactly 0 at these angles
    for (let k = ray * dim; k < (ray + 1) * dim; k++) directions[k] = (directions[k] ?? 0) / length;
  }
  return directions;
}
