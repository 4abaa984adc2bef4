import { CancelledError, normalAt, randomKey, ShapeError } from "@gmc/core";
import { expect, test } from "vitest";
import { matchingRanks, recallOf } from "./retrieval.ts";

const codes = (seed: number, length: number) =>
  Float32Array.from({ length }, (_, i) => normalAt(randomKey(seed, "codes"), i));

test("hand-made codes: both ways, whatever their length", async () => {
  const a = Float32Array.of(1, 0, 0, 1, 1, 1);
  const b = Float32Array.of(9, 1, 1, 0, 5, 5); // nearest of a0: b1, then b0; of a1: b2, b0, b1; of a2: b2
  const { forward, backward } = await matchingRanks(a, b, 2);
  expect([...forward]).toEqual([2, 3, 1]);
  expect([...backward]).toEqual([1, 3, 1]);
});

test("ties count against the match: of equal codes every one is last", async () => {
  const same = new Float32Array(5 * 3).fill(0.3);
  expect([...(await matchingRanks(same, same, 3)).forward]).toEqual([5, 5, 5, 5, 5]);
  const zero = new Float32Array(4 * 3);
  expect([...(await matchingRanks(zero, zero, 3)).backward]).toEqual([4, 4, 4, 4]);
});

test("a duplicate of the match is a tie wherever it stands", async () => {
  for (const samples of [2, 3, 4, 7, 130, 131]) {
    const [a, b] = [codes(1, samples * 5), codes(2, samples * 5)];
    for (const [i, j] of [
      [0, samples - 1],
      [1, 0],
    ] as const) {
      const doubled = b.slice();
      doubled.copyWithin(j * 5, i * 5, i * 5 + 5);
      a.set(doubled.subarray(i * 5, i * 5 + 5), i * 5);
      expect((await matchingRanks(a, doubled, 5)).forward[i]).toBe(2);
    }
  }
});

test.each([2, 3, 63, 64, 65, 200])("ranks of %i random codes are those of a plain count", async (samples) => {
  const [a, b] = [codes(3, samples * 7), codes(4, samples * 7)];
  const cosine = (x: Float32Array, i: number, y: Float32Array, j: number) => {
    const [u, v] = [[...x.subarray(i * 7, i * 7 + 7)], [...y.subarray(j * 7, j * 7 + 7)]];
    return u.reduce((sum, value, k) => sum + value * v[k]!, 0) / Math.hypot(...u) / Math.hypot(...v);
  };
  const plain = (x: Float32Array, y: Float32Array) =>
    Array.from({ length: samples }, (_, i) => {
      const own = cosine(x, i, y, i);
      return (
        1 + Array.from({ length: samples }, (_, j) => j).filter((j) => j !== i && cosine(x, i, y, j) >= own).length
      );
    });
  const { forward, backward } = await matchingRanks(a, b, 7);
  expect([...forward]).toEqual(plain(a, b));
  expect([...backward]).toEqual(plain(b, a));
});

test("recall is the share of ranks within k", () => {
  expect(recallOf(Uint32Array.of(1, 1, 2, 5, 6, 10, 11, 400))).toEqual({
    "recall@1": 0.25,
    "recall@5": 0.5,
    "recall@10": 0.75,
  });
});

test("sets of different size are refused, a signal stops the work", async () => {
  await expect(matchingRanks(codes(1, 10), codes(1, 12), 2)).rejects.toThrow(ShapeError);
  await expect(matchingRanks(codes(1, 10), codes(1, 10), 2, AbortSignal.abort())).rejects.toThrow(CancelledError);
});
