import { relativeError } from "@gmc/testkit";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { useCpuBackend } from "./eager.testing.ts";
import { swish, unitRows } from "./layers.ts";

beforeAll(useCpuBackend);

/** Values and gradient of Σ w·f(x) with weights w that tell the elements apart. */
const valueAndGradient = (f: (x: Tensor2D) => Tensor, x: Tensor2D) => {
  const weights = tf.reshape(tf.range(1, x.size + 1), x.shape);
  const gradient = tf.grad((t) => tf.sum(tf.mul(f(t as Tensor2D), weights)))(x);
  return { value: f(x).dataSync(), gradient: gradient.dataSync() };
};

describe("swish", () => {
  const sample = () =>
    tf.tensor2d([
      [-30, -2, -0.5, 0],
      [0.5, 2, 10, 30],
    ]);

  test("equals x·σ(x), value and gradient", () => {
    const got = valueAndGradient(swish, sample());
    const plain = valueAndGradient((t) => tf.mul(t, tf.sigmoid(t)), sample());
    expect(relativeError(got.value, plain.value)).toBe(0);
    expect(relativeError(got.gradient, plain.gradient)).toBeLessThan(1e-7);
  });

  test("has slope 1/2 at zero and 1 far to the right", () => {
    const slope = tf
      .grad((t) => tf.sum(swish(t)))(tf.tensor1d([0, 40]))
      .dataSync();
    expect([...slope]).toEqual([0.5, 1]);
  });
});

describe("unitRows", () => {
  test("scales every row to length one, with the gradient of x / |x|", () => {
    const x = tf.tensor2d([
      [3, 4, 0],
      [0.001, 0, -0.002],
      [100, -50, 7],
    ]);
    const got = valueAndGradient(unitRows, x);
    const plain = valueAndGradient((t) => tf.div(t, tf.sqrt(tf.sum(tf.square(t), 1, true))), x);
    expect(relativeError(got.value, plain.value)).toBeLessThan(1e-7);
    expect(relativeError(got.gradient, plain.gradient)).toBeLessThan(1e-6);
  });

  test("keeps a row of zeros at zero, with a finite gradient", () => {
    const { value, gradient } = valueAndGradient(unitRows, tf.zeros([1, 3]));
    expect([...value]).toEqual([0, 0, 0]);
    expect([...gradient].every(Number.isFinite)).toBe(true);
  });
});
