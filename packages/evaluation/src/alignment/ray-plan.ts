import { rayDirections } from "./ray-directions.ts";
import { spatialOrder } from "./spatial-order.ts";

/** Sites that are looked at or passed over together; the kernel is compiled for this number. */
export const CHUNK_SITES = 32;
/** Sites whose coordinates lie side by side. */
export const PANEL_SITES = 8;
/** Lines whose shadows a thread holds at a time: few enough for the near part of them to stay in the cache. */
export const LINE_BLOCK = 64;

/** All that a thread needs to cast lines; arrays are in shared memory, so that they are not copied on the way. */
export interface RayPlan {
  readonly dim: number;
  /** Number of sites: distinct points, ordered so that neighbours in space have near places. */
  readonly sites: number;
  /** [chunks · 4, dim, 8] coordinates of eight sites side by side; the last chunk is filled with copies of its first site. */
  readonly panels: Float64Array;
  readonly rays: number;
  /** [rays, dim] unit vectors. */
  readonly directions: Float64Array;
  /** Sites of one task, which bounds a thread's memory. */
  readonly group: number;
  /** True when hits are to be counted, not only noted. */
  readonly counted: boolean;
  /** [0] becomes 1 to cancel; [1] counts sites of finished line blocks. */
  readonly control: Int32Array;
}

export interface PlanOptions {
  /** [sites, dim] distinct points */
  readonly points: Float64Array;
  readonly dim: number;
  readonly rays: number;
  readonly seed: number;
  readonly counted: boolean;
  /** Threads that work at the same time (0: the caller's alone) and the memory for all of them together. */
  readonly threads: number;
  readonly memoryBytes: number;
}

/** The plan, and which point has each place in it, [sites]. */
export function planRays(options: PlanOptions): { readonly plan: RayPlan; readonly order: Uint32Array } {
  const { points, dim, rays, counted } = options;
  const order = spatialOrder(points, dim, CHUNK_SITES);
  const plan: RayPlan = {
    dim,
    sites: order.length,
    panels: panelsOf(points, dim, order),
    rays,
    directions: rayDirections(options.seed, rays, dim),
    group: groupSize(order.length, options),
    counted,
    control: new Int32Array(new SharedArrayBuffer(8)),
  };
  return { plan, order };
}

/** Where a site's first coordinate lies in the panels; the next is `PANEL_SITES` further. */
export const panelOf = (site: number, dim: number): number =>
  (site - (site % PANEL_SITES)) * dim + (site % PANEL_SITES);

export const chunksOf = (sites: number): number => Math.ceil(sites / CHUNK_SITES);

/** Bytes that one site of a task takes: its row of distances, of hits and its order of chunks. */
const bytesOfSite = (sites: number): number => chunksOf(sites) * (CHUNK_SITES * 10 + 18);

function panelsOf(points: Float64Array, dim: number, order: Uint32Array): Float64Array {
  const chunks = chunksOf(order.length);
  const panels = new Float64Array(new SharedArrayBuffer(chunks * dim * CHUNK_SITES * 8));
  for (let place = 0; place < chunks * CHUNK_SITES; place++) {
    const point = order[place] ?? order[place - (place % CHUNK_SITES)] ?? 0;
    const panel = panelOf(place, dim);
    for (let k = 0; k < dim; k++) panels[panel + k * PANEL_SITES] = points[point * dim + k] ?? 0;
  }
  return panels;
}

/** As many sites a task as memory allows, for every task projects all points on all lines; as even as can be. */
function groupSize(sites: number, { threads, memoryBytes }: PlanOptions): number {
  const workers = Math.max(1, threads);
  const allowed = Math.max(1, Math.floor(memoryBytes / workers / bytesOfSite(sites)));
  const rounds = Math.ceil(sites / (allowed * workers));
  return Math.max(1, Math.ceil(sites / (rounds * workers)));
}
