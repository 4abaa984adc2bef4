import { NeighbourGraph } from "./neighbour-graph.ts";

/** Hits of every unordered pair of sites, both directions together: one 16-bit number each, 400 MB for 20,000 sites. */
export class PairHits {
  readonly #sites: number;
  readonly #hits: Uint16Array;

  constructor(sites: number) {
    this.#sites = sites;
    this.#hits = new Uint16Array((sites * (sites - 1)) / 2);
  }

  /** Adds the hits of some sites' rows, from `start` on. @param rows [n, sites] */
  add(start: number, rows: Uint16Array): void {
    for (let i = 0; i < rows.length; i++) {
      const value = rows[i] ?? 0;
      if (value === 0) continue;
      const place = this.#place(start + Math.floor(i / this.#sites), i % this.#sites);
      this.#hits[place] = (this.#hits[place] ?? 0) + value;
    }
  }

  of(a: number, b: number): number {
    return this.#hits[this.#place(a, b)] ?? 0;
  }

  #place(a: number, b: number): number {
    const high = Math.max(a, b);
    return (high * (high - 1)) / 2 + Math.min(a, b);
  }
}

/**
 * The graph without far edges: every site keeps its shortest edges until their hits are the share `coverage` of the
 * 2·rays directions from it, and an edge stays when one of its ends keeps it. As in the authors' code an edge has the hits
 * of both its ends together, so that all edges of a site make about 2, not 1.
 *
 * @param squaredLength  squared length of an edge; equal ones are taken by site
 * @param rays           lines through every site: each covers two parts of 2·rays
 */
export function filterByCoverage(
  graph: NeighbourGraph,
  hits: PairHits,
  squaredLength: (a: number, b: number) => number,
  rays: number,
  coverage: number,
): NeighbourGraph {
  const kept = new NeighbourGraph(graph.sites);
  const neighbours = new Uint32Array(graph.sites);
  const lengths = new Float64Array(graph.sites);
  for (let site = 0; site < graph.sites; site++) {
    const found = neighbours.subarray(0, graph.neighbours(site, neighbours));
    for (const other of found) lengths[other] = squaredLength(site, other);
    found.sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b);
    let covered = 0;
    for (const other of found) {
      kept.join(site, other);
      covered += hits.of(site, other) / (2 * rays);
      if (covered >= coverage) break;
    }
  }
  return kept;
}
