import { EnvironmentError } from "@gmc/core";

/** Most sites of a graph: a bit for each pair of them, 2 GiB. */
const MOST_SITES = 131072;

/** An undirected graph without loops as one bit for every ordered pair: 50 MB for 20,000 sites, however dense it is. */
export class NeighbourGraph {
  readonly sites: number;
  readonly #words: number;
  readonly #bits: Uint32Array;

  /** @throws {EnvironmentError} with more sites than a graph can have */
  constructor(sites: number) {
    if (sites > MOST_SITES) {
      throw new EnvironmentError(
        `A Delaunay graph has ${MOST_SITES} sites at most, these are ${sites}; align a sample of the points.`,
        { sites, mostSites: MOST_SITES },
      );
    }
    this.sites = sites;
    this.#words = Math.ceil(sites / 32);
    this.#bits = new Uint32Array(sites * this.#words);
  }

  join(a: number, b: number): void {
    this.#set(a, b);
    this.#set(b, a);
  }

  has(a: number, b: number): boolean {
    return (((this.#bits[a * this.#words + (b >>> 5)] ?? 0) >>> (b & 31)) & 1) === 1;
  }

  /** Neighbours of a site, ascending, written to `into`; how many they are. */
  neighbours(site: number, into: Uint32Array): number {
    let count = 0;
    for (let word = 0; word < this.#words; word++) {
      let bits = this.#bits[site * this.#words + word] ?? 0;
      while (bits !== 0) {
        const lowest = bits & -bits;
        into[count++] = word * 32 + 31 - Math.clz32(lowest);
        bits ^= lowest;
      }
    }
    return count;
  }

  /** Joins every site of some rows, from `start` on, with those whose bit is set. @param rows [n, ceil(sites / 32)] */
  joinRows(start: number, rows: Uint32Array): void {
    for (let i = 0; i < rows.length; i++) {
      let bits = rows[i] ?? 0;
      const site = start + Math.floor(i / this.#words);
      const first = (i % this.#words) * 32;
      while (bits !== 0) {
        const lowest = bits & -bits;
        this.join(site, first + 31 - Math.clz32(lowest));
        bits ^= lowest;
      }
    }
  }

  /** Number of undirected edges. */
  get edges(): number {
    let directed = 0;
    for (const word of this.#bits) directed += bitCount(word);
    return directed / 2;
  }

  /** Number of parts that no edge joins. */
  get parts(): number {
    const seen = new Uint8Array(this.sites);
    const found = new Uint32Array(this.sites);
    const open: number[] = [];
    let parts = 0;
    for (let first = 0; first < this.sites; first++) {
      if (seen[first] === 1) continue;
      parts++;
      seen[first] = 1;
      open.push(first);
      for (let site = open.pop(); site !== undefined; site = open.pop()) {
        const count = this.neighbours(site, found);
        for (let i = 0; i < count; i++) {
          const next = found[i] ?? 0;
          if (seen[next] === 1) continue;
          seen[next] = 1;
          open.push(next);
        }
      }
    }
    return parts;
  }

  #set(a: number, b: number): void {
    const word = a * this.#words + (b >>> 5);
    this.#bits[word] = (this.#bits[word] ?? 0) | (1 << (b & 31));
  }
}

function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
