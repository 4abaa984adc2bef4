import { PANEL_SITES, panelOf, type RayPlan } from "./ray-plan.ts";

/**
 * The straightforward version of what `RayCaster` computes, and its reference, bit for bit: through one site every line,
 * every other site.
 *
 * @param shadows  of `plainShadows`
 * @returns [sites] how often a line through the site met each other site first
 */
export function plainHits(plan: RayPlan, shadows: Float64Array, site: number): Uint16Array {
  const { sites, rays } = plan;
  const inverse = inverseSquares(plan, site);
  const hits = new Uint16Array(sites);
  for (let ray = 0; ray < rays; ray++) {
    const row = ray * sites;
    const own = shadows[row + site] ?? 0;
    let high = 0;
    let low = 0;
    let first = -1;
    let last = -1;
    for (let y = 0; y < sites; y++) {
      const slope = ((shadows[row + y] ?? 0) - own) * (inverse[y] ?? 0);
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

/** u·y of every line and site, [rays, sites]. */
export function plainShadows({ dim, sites, rays, panels, directions }: RayPlan): Float64Array {
  const shadows = new Float64Array(rays * sites);
  for (let ray = 0; ray < rays; ray++) {
    for (let y = 0; y < sites; y++) {
      const panel = panelOf(y, dim);
      let sum = 0;
      for (let k = 0; k < dim; k++) sum += (directions[ray * dim + k] ?? 0) * (panels[panel + k * PANEL_SITES] ?? 0);
      shadows[ray * sites + y] = sum;
    }
  }
  return shadows;
}

/** 1/‖y-x‖² of every site y from one x, [sites]; 0 for x itself. */
function inverseSquares({ dim, sites, panels }: RayPlan, site: number): Float64Array {
  const own = panelOf(site, dim);
  const inverse = new Float64Array(sites);
  for (let y = 0; y < sites; y++) {
    const panel = panelOf(y, dim);
    let squared = 0;
    for (let k = 0; k < dim * PANEL_SITES; k += PANEL_SITES) {
      const difference = (panels[panel + k] ?? 0) - (panels[own + k] ?? 0);
      squared += difference * difference;
    }
    inverse[y] = squared > 0 ? 1 / squared : 0;
  }
  return inverse;
}
