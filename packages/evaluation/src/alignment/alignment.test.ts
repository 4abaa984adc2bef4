import { readFile } from "node:fs/promises";
import { CancelledError, DataError } from "@gmc/core";
import { decodeNpy } from "@gmc/storage";
import { expect, test } from "vitest";
import { type AlignmentOptions, type AlignmentProgress, alignment } from "./alignment.ts";
import { clouds, onSphere } from "./points.testing.ts";

const reference = await example("R");
const evaluated = await example("E");

test("the published example gives its published result", async () => {
  const { summary, outliers } = await alignment({ reference, evaluated, dim: 2 });
  expect(summary).toMatchObject({ precision: 0.95, recall: 0.4, quality: 0.2, consistency: 1, rays: 10_000 });
  expect(summary).toMatchObject({ edges: 95, heterogeneousEdges: 19 });
  expect(summary.components.length + outliers.filter((flag) => flag === 1).length).toBe(3);
  expect(summary.score).toBeCloseTo(3 / (1 / 0.95 + 1 / 0.4 + 1 / 0.2), 12);
  expect(JSON.parse(JSON.stringify(summary))).toEqual(summary);
});

test("outliers and component numbers agree with the summary", async () => {
  const { summary, outliers, componentOf } = await alignment({ reference, evaluated, dim: 2, minClusterSize: 5 });
  expect([...outliers]).toEqual(Array.from(componentOf, (component) => (component === -1 ? 1 : 0)));
  const sizes = summary.components.map((_, number) => componentOf.filter((component) => component === number).length);
  expect(summary.components.map(({ points }) => points)).toEqual(sizes);
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
});

test("two samples of the same clusters are aligned, other clusters are not", async () => {
  const all = Float32Array.from(clouds(1, 800, 16, 10, 0.1));
  const same = await align(all.subarray(0, 400 * 16), all.subarray(400 * 16), 16);
  expect(same.precision).toBe(1);
  expect(same.recall).toBe(1);
  expect(same.quality).toBeGreaterThan(0.4);
  const other = await align(all.subarray(0, 400 * 16), Float32Array.from(clouds(2, 400, 16, 10, 0.1)), 16);
  expect(other).toMatchObject({ precision: 0, recall: 0, score: 0 });
});

test("the order of points does not matter", async () => {
  const dim = 8;
  const points = Float32Array.from(onSphere(clouds(3, 300, dim, 5, 0.1), dim));
  const turned = (rows: Float32Array) => rows.map((_, i) => rows[rows.length - dim - (i - (i % dim)) + (i % dim)] ?? 0);
  const [r, e] = [points.subarray(0, 150 * dim), points.subarray(150 * dim)];
  const there = comparable(await align(r, e, dim));
  expect(comparable(await align(turned(r), turned(e), dim))).toEqual(there);
});

test("threads do not matter", async () => {
  const points = Float32Array.from(clouds(4, 900, 8, 5, 0.1));
  const options = { reference: points.subarray(0, 3600), evaluated: points.subarray(3600), dim: 8, rays: 1500 };
  const [one, two] = await Promise.all([1, 2].map((threads) => alignment({ ...options, threads })));
  expect({ ...two!.summary, wallSeconds: 0 }).toEqual({ ...one!.summary, wallSeconds: 0 });
  expect(two!.componentOf).toEqual(one!.componentOf);
});

test("a set against itself: each point meets its copy, half of the edges are mixed", async () => {
  const points = Float32Array.from(clouds(5, 200, 8, 4, 0.1));
  const result = await align(points, points, 8);
  expect(result).toMatchObject({ precision: 1, recall: 1, distinctPoints: 200 });
  expect(result.quality).toBeGreaterThan(0.5);
  expect(result.quality).toBeLessThan(0.52);
});

test("points that are all equal, or too few for a component, give 0 everywhere", async () => {
  const equal = await alignment({
    reference: new Float32Array(40).fill(1),
    evaluated: new Float32Array(60).fill(1),
    dim: 2,
  });
  expect(equal.summary).toMatchObject({
    precision: 0,
    recall: 0,
    quality: 0,
    score: 0,
    distinctPoints: 1,
    components: [],
  });
  expect(equal.outliers).toEqual(new Uint8Array(50).fill(1));
  const few = await alignment({ reference: Float32Array.of(0, 0, 1, 1), evaluated: Float32Array.of(2, 1), dim: 2 });
  expect(few.summary).toMatchObject({ score: 0, components: [], outliers: { reference: 2, evaluated: 1 } });
  const two = await alignment({ reference: Float32Array.of(0), evaluated: Float32Array.of(1), dim: 1 });
  expect(two.summary.graph).toEqual({ edges: 1, heterogeneousEdges: 1 });
});

test("two places with copies of both sets are two components", async () => {
  const rows = (left: number, right: number) => Float32Array.of(...Array(left).fill(0), ...Array(right).fill(5));
  const result = await align(rows(12, 12), rows(12, 0), 1);
  expect(result.components).toMatchObject([
    { points: 24, reference: 12, evaluated: 12, edges: 276, heterogeneousEdges: 144, fundamental: true },
    { points: 12, reference: 12, evaluated: 0, edges: 66, heterogeneousEdges: 0, fundamental: false },
  ]);
  expect(result).toMatchObject({ precision: 1, recall: 0.5, edges: 342, heterogeneousEdges: 144 });
});

test("thresholds decide which components are fundamental", async () => {
  const strict = await align(reference, evaluated, 2, { componentQuality: 0.5 });
  expect(strict).toMatchObject({ precision: 0, recall: 0, score: 0, quality: 0.2 });
});

test("input that cannot be aligned is refused with what is wrong", async () => {
  const fine = { reference, evaluated, dim: 2 };
  const refused = (options: Partial<AlignmentOptions>) => expect(alignment({ ...fine, ...options })).rejects;
  await refused({ reference: new Float32Array() }).toThrow(/reference is one row of 2 values or more, received 0/);
  await refused({ evaluated: new Float32Array(3) }).toThrow(/evaluated is one row of 2 values or more, received 3/);
  await refused({ evaluated: Float32Array.of(1, 2, Number.NaN, 4) }).toThrow(DataError);
  await refused({ evaluated: Float32Array.of(1, 2, Number.NaN, 4) }).toThrow(/row 1 has NaN in column 0/);
  await refused({ rays: 0 }).toThrow(/rays is a whole number from 1 to 65535, received 0/);
  await refused({ rays: 100_000 }).toThrow(/rays/);
  await refused({ minClusterSize: 1 }).toThrow(/minClusterSize/);
  await refused({ sphereCoverage: 0 }).toThrow(/sphereCoverage is a number in \(0, 1\], received 0/);
  await refused({ threads: 0.5 }).toThrow(/threads/);
  await refused({ dim: 0 }).toThrow(/dim/);
});

test.each([1, 0])("a fired signal stops the work at once, with %i threads asked for", async (threads) => {
  const points = Float32Array.from(clouds(6, 3000, 16, 1, 1));
  const controller = new AbortController();
  const started = performance.now();
  const work = alignment({
    reference: points,
    evaluated: points.map((value) => value + 1),
    dim: 16,
    threads,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await expect(work).rejects.toThrow(CancelledError);
  expect(performance.now() - started).toBeLessThan(20_000); // uncut: minutes
});

test("progress grows to 1 and tells the time left", async () => {
  const points = Float32Array.from(clouds(6, 500, 16, 3, 0.3));
  const seen: AlignmentProgress[] = [];
  await align(
    points,
    points.map((value) => value + 0.01),
    16,
    { rays: 2000, onProgress: (p) => seen.push(p) },
  );
  expect(seen.at(-1)).toEqual({ done: 1, secondsLeft: 0 });
  expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).sort((a, b) => a - b));
  expect(seen.every(({ done, secondsLeft }) => done === 0 || secondsLeft !== undefined)).toBe(true);
});

async function align(r: Float32Array, e: Float32Array, dim: number, options: Partial<AlignmentOptions> = {}) {
  return (await alignment({ reference: r, evaluated: e, dim, rays: 1000, ...options })).summary;
}

/** What does not depend on time and on the order of visits. */
function comparable({ wallSeconds, pairsEvaluated, components, ...rest }: Awaited<ReturnType<typeof align>>) {
  return { ...rest, components: components.map((one) => JSON.stringify(one)).sort() };
}

async function example(name: "R" | "E"): Promise<Float32Array> {
  const { data } = decodeNpy(await readFile(new URL(`./fixtures/dca-first-example-${name}.npy`, import.meta.url)));
  return Float32Array.from(data as Float64Array);
}
