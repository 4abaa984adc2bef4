import { NOISE } from "./clusters.ts";
import type { NeighbourGraph } from "./neighbour-graph.ts";

/** One group of points that the distilled Delaunay graph holds together. */
export interface AlignmentComponent {
  readonly points: number;
  readonly reference: number;
  readonly evaluated: number;
  /** 1 - |reference - evaluated| / points: 1 when both sets have the same share, 0 when only one is there. */
  readonly consistency: number;
  /** Share of its edges that join a reference point and an evaluated one; 0 without edges. */
  readonly quality: number;
  readonly edges: number;
  readonly heterogeneousEdges: number;
  /** True when consistency and quality are above their thresholds: both sets are there and mixed. */
  readonly fundamental: boolean;
}

/** What Delaunay component analysis says about two sets of points. */
export interface ComponentScores {
  /** P: share of the evaluated points that lie in fundamental components. */
  readonly precision: number;
  /** R: share of the reference points that lie in fundamental components. */
  readonly recall: number;
  /** q: share of heterogeneous edges among the edges of all components. */
  readonly quality: number;
  /** 1 - |n_R - n_E| / (n_R + n_E) of the whole sets. */
  readonly consistency: number;
  /** 3 / (1/P + 1/R + 1/q), or 0 unless all three are positive. */
  readonly score: number;
  /** Edges within components and those of them that join the two sets. */
  readonly edges: number;
  readonly heterogeneousEdges: number;
  /** By number. */
  readonly components: readonly AlignmentComponent[];
  /** Points outside: each a trivial component of its own. */
  readonly outliers: { readonly reference: number; readonly evaluated: number };
}

export interface SiteContents {
  /** [sites] points of each set at each site. */
  readonly reference: Uint32Array;
  readonly evaluated: Uint32Array;
  /** [sites] component of each site's points, or `NOISE`. */
  readonly componentOf: Int32Array;
}

/** Thresholds above which a component is fundamental. */
export interface FundamentalLimits {
  readonly componentConsistency: number;
  readonly componentQuality: number;
}

/**
 * Scores of the components. Points with equal coordinates share a site: each is joined to every other one of its site
 * and to every point of the neighbouring sites.
 *
 * @param componentOf  numbered from 0 without gaps
 */
export function scoreComponents(
  graph: NeighbourGraph,
  sites: SiteContents,
  limits: FundamentalLimits,
): ComponentScores {
  const tallies = tally(graph, sites);
  const components = tallies.map((one) => describe(one, limits));
  const total = { reference: sum(sites.reference), evaluated: sum(sites.evaluated) };
  const of = (key: "reference" | "evaluated" | "edges" | "heterogeneousEdges", some: readonly AlignmentComponent[]) =>
    some.reduce((all, one) => all + one[key], 0);
  const fundamental = components.filter((one) => one.fundamental);
  const edges = of("edges", components);
  const heterogeneousEdges = of("heterogeneousEdges", components);
  const precision = of("evaluated", fundamental) / total.evaluated;
  const recall = of("reference", fundamental) / total.reference;
  const quality = edges > 0 ? heterogeneousEdges / edges : 0;
  return {
    precision,
    recall,
    quality,
    consistency: consistencyOf(total.reference, total.evaluated),
    score: harmonicMean(precision, recall, quality),
    edges,
    heterogeneousEdges,
    components,
    outliers: {
      reference: total.reference - of("reference", components),
      evaluated: total.evaluated - of("evaluated", components),
    },
  };
}

/** All edges of a graph between points, and those of them that join the two sets. */
export function countEdges(graph: NeighbourGraph, { reference, evaluated }: SiteContents) {
  const all = { reference, evaluated, componentOf: new Int32Array(graph.sites) };
  const [one] = tally(graph, all);
  return { edges: one?.edges ?? 0, heterogeneousEdges: one?.heterogeneousEdges ?? 0 };
}

interface Tally {
  reference: number;
  evaluated: number;
  edges: number;
  heterogeneousEdges: number;
}

function tally(graph: NeighbourGraph, { reference, evaluated, componentOf }: SiteContents): Tally[] {
  const tallies: Tally[] = [];
  const neighbours = new Uint32Array(graph.sites);
  for (let site = 0; site < graph.sites; site++) {
    const component = componentOf[site] ?? NOISE;
    if (component === NOISE) continue;
    const one = tallies[component] ?? { reference: 0, evaluated: 0, edges: 0, heterogeneousEdges: 0 };
    tallies[component] = one;
    const r = reference[site] ?? 0;
    const e = evaluated[site] ?? 0;
    one.reference += r;
    one.evaluated += e;
    one.edges += ((r + e) * (r + e - 1)) / 2;
    one.heterogeneousEdges += r * e;
    const count = graph.neighbours(site, neighbours);
    for (let i = 0; i < count; i++) {
      const other = neighbours[i] ?? 0;
      if (other > site || componentOf[other] !== component) continue;
      const otherR = reference[other] ?? 0;
      const otherE = evaluated[other] ?? 0;
      one.edges += (r + e) * (otherR + otherE);
      one.heterogeneousEdges += r * otherE + e * otherR;
    }
  }
  return tallies;
}

function describe(one: Tally, limits: FundamentalLimits): AlignmentComponent {
  const consistency = consistencyOf(one.reference, one.evaluated);
  const quality = one.edges > 0 ? one.heterogeneousEdges / one.edges : 0;
  return {
    points: one.reference + one.evaluated,
    ...one,
    consistency,
    quality,
    fundamental: consistency > limits.componentConsistency && quality > limits.componentQuality,
  };
}

const consistencyOf = (reference: number, evaluated: number): number =>
  1 - Math.abs(reference - evaluated) / (reference + evaluated);

const harmonicMean = (...values: readonly number[]): number =>
  values.every((value) => value > 0) ? values.length / values.reduce((all, value) => all + 1 / value, 0) : 0;

const sum = (values: Uint32Array): number => values.reduce((all, value) => all + value, 0);
