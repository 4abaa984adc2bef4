import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ContrastiveShape, ContrastiveSpec, Range } from "@gmc/core";
import { normalAt, randomKey, ShapeError } from "@gmc/core";
import { describe, expect, test } from "vitest";
import { contrastiveLoss } from "./contrastive-loss.ts";

const LOSSES = ["nt_xent", "negatives_only", "joints_as_negatives"] as const;

/** The definitions of DESIGN section 3 word for word, in float64. @param z [M+1, B, d] */
function obviousLoss(
  { loss, temperature }: ContrastiveSpec,
  { modalities: M, batch: B, dim }: ContrastiveShape,
  z: ArrayLike<number>,
): number {
  const x = (a: number, i: number, b: number, j: number) => {
    let dot = 0;
    for (let k = 0; k < dim; k++) dot += z[(a * B + i) * dim + k]! * z[(b * B + j) * dim + k]!;
    return dot / temperature;
  };
  const logSumExp = (xs: number[]) => {
    const largest = Math.max(...xs);
    return largest + Math.log(xs.reduce((sum, v) => sum + Math.exp(v - largest), 0));
  };
  const rows = Array.from({ length: B }, (_, i) => i);
  let total = 0;
  for (let m = 0; m < M; m++) {
    for (const i of rows) {
      const others = rows.filter((j) => j !== i);
      if (loss === "nt_xent") {
        for (const [own, pair] of [
          [M, m],
          [m, M],
        ] as const) {
          const all = [...others.map((j) => x(own, i, own, j)), ...rows.map((j) => x(own, i, pair, j))];
          total += (logSumExp(all) - x(own, i, pair, i)) / (2 * B);
        }
      } else if (loss === "negatives_only") {
        const all = others.flatMap((j) => [x(m, i, M, j), x(m, i, m, j), x(M, i, M, j)]);
        total += (logSumExp(all) - x(m, i, M, i)) / B;
      } else total += (logSumExp(others.map((j) => x(M, i, M, j))) - x(M, i, m, i)) / B;
    }
  }
  return total;
}

/** Unit rows around a common direction per sample: `spread` 0 gives identical rows within a sample. */
function unitRows({ modalities, batch, dim }: ContrastiveShape, spread: number): Float32Array {
  const key = randomKey(3, "unitRows");
  const z = new Float32Array((modalities + 1) * batch * dim);
  for (let row = 0; row < (modalities + 1) * batch; row++) {
    const values = Array.from(
      { length: dim },
      (_, k) => normalAt(key, (row % batch) * dim + k) + spread * normalAt(key, 1e6 + row * dim + k),
    );
    const norm = Math.hypot(...values);
    z.set(
      values.map((v) => v / norm),
      row * dim,
    );
  }
  return z;
}

/** Loss and dz from the given ranges, put together as workers would. */
function computeIn(ranges: readonly Range[], spec: ContrastiveSpec, shape: ContrastiveShape, z: Float32Array) {
  const { batch, dim, modalities } = shape;
  const kernel = contrastiveLoss(spec, shape);
  const K = kernel.normalisersPerRow;
  const normalisers = new Float32Array(K * batch);
  for (const rows of ranges) {
    const own = kernel.logNormalisers(z, rows);
    const count = rows.end - rows.start;
    for (let k = 0; k < K; k++) normalisers.set(own.subarray(k * count, (k + 1) * count), k * batch + rows.start);
  }
  const dz = new Float32Array(z.length);
  let loss = 0;
  for (const rows of ranges) {
    const own = kernel.gradient(z, normalisers, rows);
    const count = rows.end - rows.start;
    loss += own.loss;
    for (let set = 0; set <= modalities; set++) {
      dz.set(own.dz.subarray(set * count * dim, (set + 1) * count * dim), (set * batch + rows.start) * dim);
    }
  }
  return { loss, dz, normalisers };
}

const compute = (spec: ContrastiveSpec, shape: ContrastiveShape, z: Float32Array) =>
  computeIn([{ start: 0, end: shape.batch }], spec, shape, z);

const relativeError = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(difference / size);
};

describe("float64 reference values", () => {
  const open = (file: string) => {
    const bytes = readFileSync(fileURLToPath(new URL(`../../../testkit/fixtures/${file}`, import.meta.url)));
    const headerBytes = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes));
    const tensor = (name: string) => {
      const [start, end] = header[name].data_offsets;
      return {
        shape: header[name].shape as number[],
        data: new Float32Array(new Uint8Array(bytes.subarray(8 + headerBytes + start, 8 + headerBytes + end)).buffer),
      };
    };
    return { temperature: Number(header.__metadata__.temperature), tensor };
  };
  const cases = [
    ["contrastive-loss.safetensors", "nt_xent"],
    ["contrastive-loss.safetensors", "joints_as_negatives"],
    ["contrastive-loss-negatives-only.safetensors", "negatives_only"],
  ] as const;
  test.each(cases.flatMap(([file, loss]) => [0, 1, 2, 3].map((i) => [file, loss, i] as const)))(
    "%s: %s, shape %i: loss and dz agree within 1e-6",
    (file, loss, i) => {
      const { temperature, tensor } = open(file);
      const { data: z, shape } = tensor(`${loss}.${i}.z`);
      const [sets = 0, batch = 0, dim = 0] = shape;
      const got = compute({ loss, temperature }, { modalities: sets - 1, batch, dim }, z);
      const expected = tensor(`${loss}.${i}.loss`).data[0]!;
      expect(Math.abs(got.loss / expected - 1)).toBeLessThan(1e-6);
      expect(relativeError(got.dz, tensor(`${loss}.${i}.dz`).data)).toBeLessThan(1e-6);
    },
  );
});

const SHAPES = [
  { modalities: 1, batch: 2, dim: 1 },
  { modalities: 3, batch: 5, dim: 7 },
  { modalities: 2, batch: 67, dim: 12 },
  { modalities: 1, batch: 130, dim: 9 },
];

describe.each(LOSSES)("%s", (loss) => {
  test.each(SHAPES.flatMap((shape) => [10, 0.5, 0.1, 0.01].map((temperature) => ({ ...shape, temperature }))))(
    "equals its definition for %o",
    ({ temperature, ...shape }) => {
      const z = unitRows(shape, 0.3);
      const expected = obviousLoss({ loss, temperature }, shape, z);
      const { loss: got } = compute({ loss, temperature }, shape, z);
      expect(Math.abs(got - expected)).toBeLessThan(1e-11 * Math.max(1, Math.abs(expected)) + 1e-11 / temperature);
    },
  );

  test.each([0.5, 0.1, 0.01])("dz is the slope of its definition at τ = %d", (temperature) => {
    const shape = { modalities: 2, batch: 5, dim: 6 };
    const z = unitRows(shape, 1);
    const { dz } = compute({ loss, temperature }, shape, z);
    const slope = Array.from(z, (_, i) => {
      const h = 1e-5 * temperature ** 0.5;
      const at = (by: number) =>
        obviousLoss(
          { loss, temperature },
          shape,
          Float64Array.from(z, (v, j) => v + (i === j ? by : 0)),
        );
      return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h); // fourth order
    });
    expect(relativeError(dz, slope)).toBeLessThan(1e-6);
  });

  test("a row has the same bits however the rows are split", () => {
    for (const [shape, cuts] of [
      [{ modalities: 2, batch: 67, dim: 12 }, [[33], [20, 41], [16, 32, 48], [1, 2, 3, 50], [66]]],
      [{ modalities: 1, batch: 150, dim: 5 }, [[75], [64, 128], [7, 70, 149]]],
    ] as const) {
      const z = unitRows(shape, 1);
      const spec = { loss, temperature: 0.07 };
      const whole = compute(spec, shape, z);
      for (const cut of cuts) {
        const edges = [0, ...cut, shape.batch];
        const ranges = cut.concat(shape.batch as never).map((end, i) => ({ start: edges[i]!, end }));
        const split = computeIn(ranges, spec, shape, z);
        expect(split.normalisers).toEqual(whole.normalisers);
        expect(split.dz).toEqual(whole.dz);
        expect(Math.abs(split.loss - whole.loss)).toBeLessThan(1e-12);
      }
    }
  });

  test("the gradient keeps its accuracy when the loss is nearly zero", () => {
    const shape = { modalities: 2, batch: 6, dim: 16 };
    const z = unitRows(shape, 0.02); // pairs nearly equal, others far: exp((1 - s)/τ) is large
    const spec = { loss, temperature: 0.05 };
    const { loss: got, dz } = compute(spec, shape, z);
    expect(Math.abs(got / obviousLoss(spec, shape, z) - 1)).toBeLessThan(1e-7);
    if (loss === "nt_xent") expect(got).toBeLessThan(1e-3);
    const at = (i: number, by: number) =>
      obviousLoss(
        spec,
        shape,
        Float64Array.from(z, (v, j) => v + (i === j ? by : 0)),
      );
    const slope = Array.from(z, (_, i) => (8 * (at(i, 1e-4) - at(i, -1e-4)) - (at(i, 2e-4) - at(i, -2e-4))) / 12e-4);
    expect(relativeError(dz, slope)).toBeLessThan(1e-6);
  });

  test("a NaN or an infinity in z makes the loss not finite", () => {
    const shape = { modalities: 2, batch: 5, dim: 6 };
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const place of [0, 40, 89]) {
        const z = unitRows(shape, 0.3);
        z[place] = bad;
        expect(Number.isFinite(compute({ loss, temperature: 0.1 }, shape, z).loss)).toBe(false);
      }
    }
  });

  test("an instance gives the same bits again after other embeddings", () => {
    const shape = { modalities: 2, batch: 9, dim: 6 };
    const kernel = contrastiveLoss({ loss, temperature: 0.1 }, shape);
    const rows = { start: 0, end: 9 };
    const z = unitRows(shape, 0.3);
    const first = kernel.gradient(z, kernel.logNormalisers(z, rows), rows);
    const other = unitRows(shape, 3);
    kernel.gradient(other, kernel.logNormalisers(other, rows), rows);
    expect(kernel.gradient(z, kernel.logNormalisers(z, rows), rows)).toEqual(first);
  });
});

test("nt_xent of equal similarities is exactly log(2B - 1) a modality", () => {
  const shape = { modalities: 3, batch: 10, dim: 4 };
  const z = new Float32Array(4 * 10 * 4).fill(0.5);
  expect(compute({ loss: "nt_xent", temperature: 0.1 }, shape, z).loss).toBeCloseTo(3 * Math.log(19), 12);
});

test("nt_xent of a single sample is zero", () => {
  const shape = { modalities: 2, batch: 1, dim: 3 };
  const { loss, dz } = compute({ loss: "nt_xent", temperature: 0.1 }, shape, unitRows(shape, 1));
  expect(loss).toBeCloseTo(0, 12);
  expect(Math.max(...dz.map(Math.abs))).toBeLessThan(1e-12);
});

test("wrong arguments are refused with their names", () => {
  const shape = { modalities: 2, batch: 4, dim: 3 };
  expect(() => contrastiveLoss({ loss: "nt_xent", temperature: 0 }, shape)).toThrow(/temperature .* received 0/);
  expect(() => contrastiveLoss({ loss: "negatives_only", temperature: 1 }, { ...shape, batch: 1 })).toThrow(
    /at least 2/,
  );
  expect(() => contrastiveLoss({ loss: "nt_xent", temperature: 1 }, { ...shape, dim: 0 })).toThrow(/dim .* received 0/);
  const kernel = contrastiveLoss({ loss: "nt_xent", temperature: 1 }, shape);
  const rows = { start: 0, end: 4 };
  expect(() => kernel.logNormalisers(new Float32Array(5), rows)).toThrow(ShapeError);
  expect(() => kernel.gradient(new Float32Array(36), new Float32Array(5), rows)).toThrow(ShapeError);
  expect(() => kernel.logNormalisers(new Float32Array(36), { start: 2, end: 5 })).toThrow(RangeError);
});
