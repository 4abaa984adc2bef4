import { CHUNK_SITES, type RayPlan } from "./ray-plan.ts";

/**
 * Hits of the lines through one site, computed the straightforward way: every line, every other site. The reference for
 * `RayCaster`, bit for bit.
 *
 * @returns [sites] how often a line through the site met each other site first
 */
export function plainHits(plan: RayPlan, site: number): Uint16Array {
  const { dim, sites, rays, panels, directions } = plan;
  const at = (place: number) => (place - (place % CHUNK_SITES)) * dim + (place % CHUNK_SITES);
  const inverse = new Float64Array(sites);
  for (let y = 0; y < sites; y++) {
    let squared = 0;
    for (let k = 0; k < dim; k++) {
      const difference = (panels[at(y) + k * CHUNK_SITES] ?? 0) - (panels[at(site) + k * CHUNK_SITES] ?? 0);
      squared += difference * difference;
    }
    inverse[y] = squared > 0 ? 1 / squared : 0;
  }
  const shadow = (ray: number, y: number) => {
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += (directions[ray * dim + k] ?? 0) * (panels[at(y) + k * CHUNK_SITES] ?? 0);
    return sum;
  };
  const hits = new Uint16Array(sites);
  for (let ray = 0; ray < rays; ray++) {
    const own = shadow(ray, site);
    let high = 0;
    let low = 0;
    let first = -1;
    let last = -1;
    for (let y = 0; y < sites; y++) {
      const slope = (shadow(ray, y) - own) * (inverse[y] ?? 0);
      if (slope > high) {
        high = slope;
        first = y;
      } else if (slope < low) {
        low = slope;
        last = y;
      }
    }
    if (first >= 0) hits[first] = (hits[first] ?? 0) + 1;
    if (last >= 0) hits[last] = (hits[last] ?? 0) + 1;
  }
  return hits;
}
