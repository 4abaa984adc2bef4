import { integerAt, normalAt, randomKey } from "@gmc/core";
import { type Alignment, type AlignmentOptions, alignment } from "./alignment.ts";
import { distinctPoints } from "./distinct-points.ts";
import { plainHits, plainShadows } from "./plain-rays.ts";
import { RayCaster } from "./ray-caster.ts";
import { planRays, type RayPlan } from "./ray-plan.ts";
import { resolveSettings } from "./settings.ts";

/** JSON-safe facts of one benchmark run. */
export interface AlignmentBenchmark {
  readonly summary: Alignment["summary"];
  /** The straightforward version on some sites and lines, one thread, and what it would take for everything. */
  readonly straightforward: {
    readonly sites: number;
    readonly rays: number;
    /** True when both versions count the same hits for these. */
    readonly sameHits: boolean;
    readonly nanosecondsPerPair: number;
    readonly estimatedHours: number;
  };
  /** Processor time of the alignment, all threads together. */
  readonly cpuSeconds: number;
  /** How much faster the whole was, with its threads, than the estimate. */
  readonly speedup: number;
  /** Largest resident memory of the process so far, in bytes. */
  readonly peakMemoryBytes: number;
}

export interface AlignmentBenchmarkOptions extends AlignmentOptions {
  /** Sites and lines for the straightforward version. Default 16 and 256. */
  readonly plainSites?: number;
  readonly plainRays?: number;
}

/** Times a whole alignment, and the straightforward search on a part of it, whose hits are compared. */
export async function benchmarkAlignment(options: AlignmentBenchmarkOptions): Promise<AlignmentBenchmark> {
  const straightforward = timePlainly(options);
  const before = process.cpuUsage();
  const { summary } = await alignment(options);
  const { user, system } = process.cpuUsage(before);
  const pairs = summary.distinctPoints ** 2 * summary.rays;
  const estimatedHours = (straightforward.nanosecondsPerPair * pairs) / 3.6e12;
  return {
    summary,
    straightforward: { ...straightforward, estimatedHours },
    cpuSeconds: (user + system) / 1e6,
    speedup: (estimatedHours * 3600) / summary.wallSeconds,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}

function timePlainly(options: AlignmentBenchmarkOptions) {
  const { plainSites = 16, plainRays = 256 } = options;
  const plan = planOf(options, Math.min(plainRays, resolveSettings(options).rays));
  const shadows = plainShadows(plan); // few beside the pairs, and not timed
  const key = randomKey(0, "alignment/benchmark");
  const sites = Array.from({ length: plainSites }, (_, i) => integerAt(key, i, plan.sites));
  const caster = new RayCaster({ ...plan, group: 1 });
  let milliseconds = 0;
  let sameHits = true;
  for (const site of sites) {
    const started = performance.now();
    const hits = plainHits(plan, shadows, site);
    milliseconds += performance.now() - started;
    sameHits &&= Buffer.compare(bytesOf(hits), bytesOf(hitsOf(caster, site))) === 0;
  }
  const nanosecondsPerPair = (milliseconds * 1e6) / (plainSites * plan.rays * plan.sites);
  return { sites: plainSites, rays: plan.rays, sameHits, nanosecondsPerPair };
}

function planOf({ reference, evaluated, dim, seed = 0 }: AlignmentOptions, rays: number): RayPlan {
  const joined = new Float32Array(reference.length + evaluated.length);
  joined.set(reference);
  joined.set(evaluated, reference.length);
  const { firstOf } = distinctPoints(joined, dim);
  const points = Float64Array.from({ length: firstOf.length * dim }, (_, i) => {
    const site = Math.floor(i / dim);
    return joined[(firstOf[site] ?? 0) * dim + (i % dim)] ?? 0;
  });
  return planRays({ points, dim, rays, seed, counted: true, threads: 0, memoryBytes: 2 ** 28 }).plan;
}

function hitsOf(caster: RayCaster, site: number): Uint16Array {
  const work = caster.cast({ start: site, end: site + 1 });
  let turn = work.next();
  while (!turn.done) turn = work.next();
  return turn.value?.hits ?? new Uint16Array();
}

const bytesOf = (hits: Uint16Array): Uint8Array => new Uint8Array(hits.buffer, hits.byteOffset, hits.byteLength);

/** Stand-in for codes where there are none: unit vectors in ten clusters, [n, dim]. */
export function clusteredCodes(seed: number, n: number, dim: number): Float32Array {
  const noise = randomKey(seed, "alignment/benchmark-codes");
  const centres = randomKey(0, "alignment/benchmark-centres");
  const codes = new Float32Array(n * dim);
  for (let row = 0; row < n; row++) {
    let squared = 0;
    for (let k = 0; k < dim; k++) {
      const value = normalAt(centres, (row % 10) * dim + k) + 0.3 * normalAt(noise, row * dim + k);
      codes[row * dim + k] = value;
      squared += value * value;
    }
    for (let k = row * dim; k < (row + 1) * dim; k++) codes[k] = (codes[k] ?? 0) / Math.sqrt(squared);
  }
  return codes;
}
