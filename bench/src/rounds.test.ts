import { expect, test } from "vitest";
import { interleave } from "./rounds.ts";

const never = new AbortController().signal;

/** Sides that note when they are measured; every measurement takes a second of the clock. */
function fakeSides(names: readonly string[], onMeasure: (count: number) => void = () => {}) {
  const order: string[] = [];
  let clockMs = 0;
  const sides = names.map((name) => ({
    name,
    measure: async () => {
      order.push(name);
      clockMs += 1000;
      onMeasure(order.length);
      return order.length;
    },
  }));
  return { order, sides, now: () => clockMs };
}

test("sides take turns, round after round", async () => {
  const { order, sides, now } = fakeSides(["ours", "peer"]);
  const values = await interleave(sides, { rounds: 3, untilMs: Number.POSITIVE_INFINITY, signal: never, now });
  expect(order).toEqual(["ours", "peer", "ours", "peer", "ours", "peer"]);
  expect(values).toEqual({ ours: [1, 3, 5], peer: [2, 4, 6] });
});

test("no round begins that would end too late, but the first always does", async () => {
  const late = fakeSides(["ours", "peer"]);
  const two = await interleave(late.sides, { rounds: 9, untilMs: 5500, signal: never, now: late.now });
  expect(two).toEqual({ ours: [1, 3], peer: [2, 4] });
  const over = fakeSides(["ours", "peer"]);
  const one = await interleave(over.sides, { rounds: 9, untilMs: 0, signal: never, now: over.now });
  expect(one).toEqual({ ours: [1], peer: [2] });
});

test.each([
  [1, { ours: [1], peer: [] }],
  [3, { ours: [1], peer: [2] }],
])(
  "when the signal comes after measurement %i, the first round counts as far as it came and others not at all",
  async (last, expected) => {
    const stop = new AbortController();
    const { sides, now } = fakeSides(["ours", "peer"], (count) => count === last && stop.abort());
    const values = await interleave(sides, { rounds: 5, untilMs: Number.POSITIVE_INFINITY, signal: stop.signal, now });
    expect(values).toEqual(expected);
  },
);

test("a measurement that the signal ends has no value; one that fails by itself fails all", async () => {
  const stop = new AbortController();
  const hanging = (signal: AbortSignal) =>
    new Promise<number>((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("killed")));
      stop.abort();
    });
  const options = { rounds: 2, untilMs: Number.POSITIVE_INFINITY };
  const values = await interleave([{ name: "a", measure: hanging }], { ...options, signal: stop.signal });
  expect(values).toEqual({ a: [] });
  const broken = interleave([{ name: "a", measure: () => Promise.reject(new Error("exit code 1")) }], {
    ...options,
    signal: never,
  });
  await expect(broken).rejects.toThrow("exit code 1");
});
