import { CancelledError, ShapeError } from "@gmc/core";

/** Fractions of queries whose own sample is among the k nearest candidates. */
export interface Recall {
  readonly "recall@1": number;
  readonly "recall@5": number;
  readonly "recall@10": number;
}

/** Ranks of one pair of code sets, both ways. */
export interface Ranks {
  /** [N] place of b's row i among all rows of b by cosine similarity with a's row i, from 1; ties count against it. */
  readonly forward: Uint32Array;
  /** [N] the same with a and b exchanged. */
  readonly backward: Uint32Array;
}

const QUERIES_A_TURN = 64;

/**
 * Ranks of matching rows by cosine similarity, in float64 sums over the elements in order: equal codes give equal
 * similarities, so a tie is one. A row of zeros has similarity 0 with everything. Memory O(N·d); the event loop gets a
 * turn now and then.
 *
 * @param a    [N, d]
 * @param b    [N, d]
 * @param dim  d
 * @throws {ShapeError} when the sets differ in length or are not [N, d]
 * @throws {CancelledError} when `signal` fires
 */
export async function matchingRanks(
  a: Float32Array,
  b: Float32Array,
  dim: number,
  signal?: AbortSignal,
): Promise<Ranks> {
  if (a.length !== b.length || a.length % dim !== 0) {
    throw new ShapeError("matchingRanks", [a.length / dim, dim], [b.length / dim, dim]);
  }
  const [unitA, unitB] = [unitRows(a, dim), unitRows(b, dim)];
  const samples = a.length / dim;
  const own = Float64Array.from({ length: samples }, (_, i) => dot(unitA, i * dim, unitB, i * dim, dim));
  const ranks: Ranks = { forward: new Uint32Array(samples), backward: new Uint32Array(samples) };
  for (let start = 0; start < samples; start += QUERIES_A_TURN) {
    if (signal?.aborted) throw new CancelledError("The retrieval was stopped.");
    countAtLeastOwn(unitA, unitB, dim, start, Math.min(start + QUERIES_A_TURN, samples), own, ranks);
    await new Promise(setImmediate);
  }
  return ranks;
}

/** Recall at 1, 5 and 10. */
export function recallOf(ranks: Uint32Array): Recall {
  const within = (k: number): number => ranks.reduce((count, rank) => count + (rank <= k ? 1 : 0), 0) / ranks.length;
  return { "recall@1": within(1), "recall@5": within(5), "recall@10": within(10) };
}

/** For queries [start, end) of `a` and all rows of `b`: counts the similarities that reach the matching one's, itself included. */
function countAtLeastOwn(
  a: Float64Array,
  b: Float64Array,
  dim: number,
  start: number,
  end: number,
  own: Float64Array,
  { forward, backward }: Ranks,
): void {
  const samples = own.length;
  const count = (i: number, j: number, similarity: number): void => {
    if (similarity >= (own[i] ?? 0)) forward[i] = (forward[i] ?? 0) + 1;
    if (similarity >= (own[j] ?? 0)) backward[j] = (backward[j] ?? 0) + 1;
  };
  for (let j = 0; j + 1 < samples; j += 2) {
    let i = start;
    for (; i + 1 < end; i += 2) {
      // Two by two rows at a time: half the loads. Every sum goes over the elements in order, as `dot` does.
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      for (let k = 0; k < dim; k++) {
        const a0 = a[i * dim + k] ?? 0;
        const a1 = a[i * dim + dim + k] ?? 0;
        const b0 = b[j * dim + k] ?? 0;
        const b1 = b[j * dim + dim + k] ?? 0;
        s00 += a0 * b0;
        s01 += a0 * b1;
        s10 += a1 * b0;
        s11 += a1 * b1;
      }
      count(i, j, s00);
      count(i, j + 1, s01);
      count(i + 1, j, s10);
      count(i + 1, j + 1, s11);
    }
    for (; i < end; i++) {
      count(i, j, dot(a, i * dim, b, j * dim, dim));
      count(i, j + 1, dot(a, i * dim, b, (j + 1) * dim, dim));
    }
  }
  if (samples % 2 === 0) return;
  const last = samples - 1;
  for (let i = start; i < end; i++) count(i, last, dot(a, i * dim, b, last * dim, dim));
}

function dot(a: Float64Array, startA: number, b: Float64Array, startB: number, dim: number): number {
  let sum = 0;
  for (let k = 0; k < dim; k++) sum += (a[startA + k] ?? 0) * (b[startB + k] ?? 0);
  return sum;
}

function unitRows(codes: Float32Array, dim: number): Float64Array {
  const unit = Float64Array.from(codes);
  for (let start = 0; start < unit.length; start += dim) {
    const length = Math.sqrt(dot(unit, start, unit, start, dim));
    if (length > 0) for (let k = start; k < start + dim; k++) unit[k] = (unit[k] ?? 0) / length;
  }
  return unit;
}
