import { normalAt, randomKey } from "@gmc/core";
import { relativeError } from "@gmc/testkit";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { batchNorm } from "./batch-norm.ts";
import { useCpuBackend } from "./eager.testing.ts";
import { openScope } from "./scope.ts";

beforeAll(useCpuBackend);

const key = randomKey(1, "batch norm");
/** [3, 2, 2, 4] with means far from zero, where a careless variance loses its digits. */
const sample = (): Tensor4D =>
  tf.tensor4d(
    Float32Array.from({ length: 48 }, (_, i) => 50 + normalAt(key, i)),
    [3, 2, 2, 4],
  );
const parameters = () => ({ "m.n.scale": tf.tensor1d([1, 2, -0.5, 0]), "m.n.shift": tf.tensor1d([0, 1, 2, 3]) });
const buffers = () => ({ "m.n.mean": tf.tensor1d([49, 50, 51, 52]), "m.n.variance": tf.tensor1d([1, 4, 0.25, 1]) });

/** Mean and variance of channel c in float64. */
function momentsOf(x: Tensor4D, c: number, degreesOfFreedom: number): { mean: number; variance: number } {
  const values = [...x.dataSync()].filter((_, i) => i % 4 === c);
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return { mean, variance: values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - degreesOfFreedom) };
}

describe("in training", () => {
  test("the batch's mean and unbiased variance are reported under the scope's names", () => {
    const statistics: Record<string, Tensor> = {};
    batchNorm(sample(), "n", openScope("m", parameters(), {}, statistics));
    const expected = [0, 1, 2, 3].map((c) => momentsOf(sample(), c, 1));
    expect(Object.keys(statistics)).toEqual(["m.n.mean", "m.n.variance"]);
    expect(
      relativeError(
        statistics["m.n.mean"]!.dataSync(),
        expected.map((e) => e.mean),
      ),
    ).toBeLessThan(1e-6);
    expect(
      relativeError(
        statistics["m.n.variance"]!.dataSync(),
        expected.map((e) => e.variance),
      ),
    ).toBeLessThan(1e-5);
  });

  test("values are normalised by the biased variance, and the buffers are not read", () => {
    const x = sample();
    const got = batchNorm(x, "n", openScope("m", parameters(), {}, {})).dataSync();
    const [scale, shift] = [
      [1, 2, -0.5, 0],
      [0, 1, 2, 3],
    ];
    const expected = [...x.dataSync()].map((v, i) => {
      const { mean, variance } = momentsOf(x, i % 4, 0);
      return ((v - mean) / Math.sqrt(variance + 1e-5)) * scale[i % 4]! + shift[i % 4]!;
    });
    expect(relativeError(got, expected)).toBeLessThan(1e-5);
  });

  test("the gradients are those of autodiff through the formula", () => {
    const weights = tf.reshape(tf.range(0, 48), [3, 2, 2, 4]);
    const { "m.n.scale": scale, "m.n.shift": shift } = parameters();
    const inputs = [tf.sub(sample(), 50), scale, shift]; // centred, so that the plain formula keeps its digits
    const ours = (x: Tensor, s: Tensor, b: Tensor) =>
      batchNorm(x, "n", openScope("m", { "m.n.scale": s, "m.n.shift": b }, {}, {}));
    const plain = (x: Tensor, s: Tensor, b: Tensor) => {
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))), s), b);
    };
    const gradients = (f: typeof ours) => tf.grads((x, s, b) => tf.sum(tf.mul(f(x!, s!, b!), weights)))(inputs);
    const expected = gradients(plain);
    for (const [i, gradient] of gradients(ours).entries()) {
      expect(gradient.shape).toEqual(expected[i]!.shape);
      expect(relativeError(gradient.dataSync(), expected[i]!.dataSync())).toBeLessThan(1e-6);
    }
  });

  test("a single value a channel, which has no variance, is refused", () => {
    const scope = openScope("m", parameters(), {}, {});
    expect(() => batchNorm(tf.zeros([1, 1, 1, 4]), "n", scope)).toThrow(/two values or more a channel, received 1/);
  });
});

test("in evaluation the buffers normalise, whatever the batch", () => {
  const x = tf.tensor2d([[50, 54, 51.5, 0]]);
  const got = batchNorm(x, "n", openScope("m", parameters(), buffers())).dataSync();
  expect(relativeError(got, [1, 5, 1.5, 3])).toBeLessThan(1e-5);
});
