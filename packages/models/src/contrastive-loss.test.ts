import type { ContrastiveSpec } from "@gmc/core";
import { normalAt, randomKey } from "@gmc/core";
import { fixturePath, readTensorFile, relativeError, scalarOf, tensorOf } from "@gmc/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { eagerLoss, useCpuBackend } from "./eager.testing.ts";

beforeAll(useCpuBackend);

const losses = ["nt_xent", "negatives_only", "joints_as_negatives"] as const;
type Triple = readonly [number, number, number];

describe.each(losses)("%s", (loss) => {
  const file = readTensorFile(
    fixturePath(
      loss === "negatives_only" ? "contrastive-loss-negatives-only.safetensors" : "contrastive-loss.safetensors",
    ),
  );

  test.each([0, 1, 2, 3])("loss and gradient are the float64 reference's, shape %i", (i) => {
    const z = tensorOf(file, `${loss}.${i}.z`);
    const temperature = Number(file.metadata.temperature);
    const got = eagerLoss(z.data, z.shape as unknown as Triple, { loss, temperature });
    expect(relativeError([got.loss], [scalarOf(file, `${loss}.${i}.loss`)])).toBeLessThan(1e-6);
    expect(relativeError(got.dz, tensorOf(file, `${loss}.${i}.dz`).data)).toBeLessThan(2e-6);
  });

  // float32 similarities of size 1/τ carry an error of 6e-8/τ into the exponent
  test.each([
    [1, 1e-6],
    [0.1, 5e-6],
    [0.01, 5e-5],
  ])("the gradient is that of finite differences in float64 at temperature %d", (temperature, tolerance) => {
    const shape: Triple = [3, 5, 4];
    const z = unitRows(shape, 7);
    const got = eagerLoss(z, shape, { loss, temperature });
    const spec = { loss, temperature };
    expect(relativeError([got.loss], [plainLoss(Float64Array.from(z), shape, spec)])).toBeLessThan(tolerance);
    const differences = Float64Array.from(z, (_, e) => {
      const [up, down] = [1e-6, -1e-6].map((by) => {
        const moved = Float64Array.from(z);
        moved[e] = (moved[e] ?? 0) + by;
        return plainLoss(moved, shape, spec);
      });
      return ((up ?? 0) - (down ?? 0)) / 2e-6;
    });
    expect(relativeError(got.dz, differences)).toBeLessThan(tolerance);
  });

  test("a single row, which has no negatives, is refused", () => {
    expect(() => eagerLoss(unitRows([2, 1, 4], 1), [2, 1, 4], { loss, temperature: 0.1 })).toThrow(RangeError);
  });
});

test("nt_xent is M·log(2B - 1) when all rows are equal", () => {
  const z = new Float32Array(3 * 4 * 2).map((_, i) => (i % 2 === 0 ? 1 : 0));
  expect(eagerLoss(z, [3, 4, 2], { loss: "nt_xent", temperature: 0.1 }).loss).toBeCloseTo(2 * Math.log(7), 5);
});

function unitRows([sets, rows, dim]: Triple, seed: number): Float32Array {
  const key = randomKey(seed, "rows");
  const z = new Float32Array(sets * rows * dim).map((_, i) => normalAt(key, i));
  for (let start = 0; start < z.length; start += dim) {
    const row = z.subarray(start, start + dim);
    row.set(row.map((x) => x / Math.hypot(...row)));
  }
  return z;
}

/** The formulas once more, pair by pair in float64. */
function plainLoss(z: Float64Array, [sets, rows, dim]: Triple, { loss, temperature }: ContrastiveSpec): number {
  const dot = (a: number, i: number, b: number, j: number): number => {
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += z[(a * rows + i) * dim + k]! * z[(b * rows + j) * dim + k]!;
    return sum / temperature;
  };
  const joint = sets - 1;
  let total = 0;
  for (let m = 0; m < joint; m++) {
    for (let i = 0; i < rows; i++) {
      const positive = dot(m, i, joint, i);
      const others = [...Array(rows).keys()].filter((j) => j !== i);
      const sumOf = (terms: number[]): number =>
        Math.log(terms.reduce((sum, term) => sum + Math.exp(term - 100), 0)) + 100;
      const own = (a: number, b: number): number[] => others.map((j) => dot(a, i, b, j));
      const perSample = {
        nt_xent: () =>
          (sumOf([positive, ...own(joint, joint), ...own(joint, m)]) +
            sumOf([positive, ...own(m, m), ...own(m, joint)])) /
          2,
        negatives_only: () => sumOf([...own(m, joint), ...own(m, m), ...own(joint, joint)]),
        joints_as_negatives: () => sumOf(own(joint, joint)),
      };
      total += (perSample[loss]() - positive) / rows;
    }
  }
  return total;
}
