import { availableParallelism } from "node:os";
import { throwIfCancelled } from "./cast-rays.ts";
import { NOISE } from "./clusters.ts";
import { type ComponentScores, countEdges, type SiteContents, scoreComponents } from "./components.ts";
import { delaunayGraph } from "./delaunay-graph.ts";
import { distil } from "./distil.ts";
import { distinctPoints } from "./distinct-points.ts";
import { type JoinedPoints, joinPoints } from "./joined-points.ts";
import { type AlignmentSettings, resolveSettings, whole } from "./settings.ts";
import { spanningTree } from "./spanning-tree.ts";

/** How far the analysis is. */
export interface AlignmentProgress {
  /** Share of the lines that are cast, from 0 to 1; what follows takes seconds. */
  readonly done: number;
  /** Expected time to the end; undefined until there is something to judge by. */
  readonly secondsLeft: number | undefined;
}

export interface AlignmentOptions {
  /** [n_R, dim] codes that say where codes should lie: those of complete observations. */
  readonly reference: Float32Array;
  /** [n_E, dim] codes that are judged: those of one modality. */
  readonly evaluated: Float32Array;
  readonly dim: number;
  /** Random lines through every point (T), 1 to 65,535. Default 10,000. */
  readonly rays?: number;
  /** Of the lines' directions. Default 0. */
  readonly seed?: number;
  /** Threads; 0, the default: one a core. The result does not depend on it. */
  readonly threads?: number;
  /** Below 1 a point keeps its shortest edges until they cover this share of directions; 1, the default: all edges. */
  readonly sphereCoverage?: number;
  /** Points that a component has at least, 2 or more. Default 10. */
  readonly minClusterSize?: number;
  /** A component is fundamental when its consistency and quality are above these. Default 0 both. */
  readonly componentConsistency?: number;
  readonly componentQuality?: number;
  /** Memory of all threads together, in bytes. Default 1 GiB; 0.6 with sphereCoverage below 1, which counts hits apart. */
  readonly memoryBytes?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: AlignmentProgress) => void) | undefined;
}

/** The result as plain JSON. */
export interface AlignmentSummary extends ComponentScores, AlignmentSettings {
  readonly referencePoints: number;
  readonly evaluatedPoints: number;
  /** Points with different coordinates. */
  readonly distinctPoints: number;
  readonly dim: number;
  /** The whole approximate Delaunay graph, before it is distilled to components. */
  readonly graph: { readonly edges: number; readonly heterogeneousEdges: number };
  /** Share of all pairs (line through a point, other point) that were evaluated; the rest was passed over, exactly. */
  readonly pairsEvaluated: number;
  readonly wallSeconds: number;
}

export interface Alignment {
  readonly summary: AlignmentSummary;
  /** [n_R + n_E] reference points first: 1 for a point in no component. */
  readonly outliers: Uint8Array;
  /** [n_R + n_E] number of each point's component in `summary.components`, or -1. */
  readonly componentOf: Int32Array;
}

/**
 * Geometric alignment of two sets of points by Delaunay component analysis: are the evaluated points where the reference
 * points are? The Delaunay graph of all points is distilled to components by HDBSCAN on its minimum spanning tree, and
 * components that mix both sets count as aligned.
 *
 * Points with equal coordinates are neighbours of each other and share all their other neighbours. All points equal, or
 * fewer points than `minClusterSize`: no component, all scores 0.
 *
 * @throws {RangeError} when an option is out of range or a set is empty
 * @throws {DataError} when a value is not finite, or `sphereCoverage` cuts the graph into parts
 * @throws {CancelledError} when the signal fires
 * @see Poklukar et al. 2022, "Delaunay component analysis for evaluation of data representations"; GMC's Table 2
 */
export async function alignment(options: AlignmentOptions): Promise<Alignment> {
  const started = performance.now();
  const settings = resolveSettings(options);
  const points = joinPoints(options.reference, options.evaluated, options.dim);
  const { placeOf, found } = await findGraph(points, settings, options);
  const tree = await spanningTree(found.points, points.dim, found.graph, () => throwIfCancelled(options.signal));
  const componentOf = distil(tree, placeOf, settings.minClusterSize);
  const contents = contentsOf(points, placeOf, componentOf, found.graph.sites);
  const summary: AlignmentSummary = {
    ...scoreComponents(found.graph, contents, settings),
    ...settings,
    dim: points.dim,
    referencePoints: points.reference,
    evaluatedPoints: points.evaluated,
    distinctPoints: found.graph.sites,
    graph: countEdges(found.graph, contents),
    pairsEvaluated: found.pairsEvaluated,
    wallSeconds: (performance.now() - started) / 1000,
  };
  return { summary, outliers: Uint8Array.from(componentOf, (component) => (component === NOISE ? 1 : 0)), componentOf };
}

/** The graph of the distinct points, and the place of each point in it. */
async function findGraph(points: JoinedPoints, settings: AlignmentSettings, options: AlignmentOptions) {
  const { dim, values } = points;
  const { firstOf, siteOf } = distinctPoints(values, dim);
  const sites = new Float64Array(firstOf.length * dim);
  firstOf.forEach((point, site) => {
    sites.set(values.subarray(point * dim, (point + 1) * dim), site * dim);
  });
  const found = await delaunayGraph({
    ...settings,
    points: sites,
    dim,
    threads: threadsFor(firstOf.length ** 2 * settings.rays, options.threads ?? 0),
    memoryBytes: options.memoryBytes ?? (settings.sphereCoverage < 1 ? 0.6 : 1) * 2 ** 30,
    signal: options.signal,
    onProgress: options.onProgress && timed(options.onProgress),
  });
  const placeOfSite = new Uint32Array(firstOf.length);
  found.order.forEach((site, place) => {
    placeOfSite[site] = place;
  });
  return { found, placeOf: siteOf.map((site) => placeOfSite[site] ?? 0) };
}

/** Below this a thread takes longer to start than to work. */
const FEW_PAIRS = 1e9;

function threadsFor(pairs: number, threads: number): number {
  whole("threads", threads, 0, 1024);
  if (pairs < FEW_PAIRS) return 0;
  return threads === 0 ? availableParallelism() : threads;
}

function timed(onProgress: (progress: AlignmentProgress) => void): (done: number) => void {
  const started = performance.now();
  return (done) => {
    const seconds = (performance.now() - started) / 1000;
    onProgress({ done, secondsLeft: done > 0 ? (seconds / done) * (1 - done) : undefined });
  };
}

function contentsOf(points: JoinedPoints, placeOf: Uint32Array, componentOf: Int32Array, places: number): SiteContents {
  const contents = {
    reference: new Uint32Array(places),
    evaluated: new Uint32Array(places),
    componentOf: new Int32Array(places),
  };
  placeOf.forEach((place, point) => {
    const set = point < points.reference ? contents.reference : contents.evaluated;
    set[place] = (set[place] ?? 0) + 1;
    contents.componentOf[place] = componentOf[point] ?? NOISE;
  });
  return contents;
}
