import type { Shape } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { BlockParameter, Scope } from "./scope.ts";
import { withGradient } from "./with-gradient.ts";

/** PyTorch's default start of weights and biases: U(-1/√fanIn, 1/√fanIn). */
const uniform = (name: string, shape: Shape, fanIn: number): BlockParameter => ({
  name,
  shape,
  initialiser: { kind: "uniform", bound: 1 / Math.sqrt(fanIn) },
});

/** `NAME.weight` [in, out] and `NAME.bias` [out]. */
export const denseParameters = (name: string, inputs: number, outputs: number): BlockParameter[] => [
  uniform(`${name}.weight`, [inputs, outputs], inputs),
  uniform(`${name}.bias`, [outputs], inputs),
];

/** x·W + b; [n, in] → [n, out]. */
export const dense = (x: Tensor2D, name: string, scope: Scope): Tensor2D =>
  tf.add(tf.matMul(x, scope.parameter(`${name}.weight`) as Tensor2D), scope.parameter(`${name}.bias`));

/** `NAME.weight` [height, width, in, out] of a convolution without bias. */
export const convParameters = (
  name: string,
  shape: readonly [height: number, width: number, inputs: number, outputs: number],
): BlockParameter[] => [uniform(`${name}.weight`, shape, sizeOf(shape.slice(0, 3)))];

/** [b, …] → [b, everything else], row-major: channels vary fastest. */
export const flatten = (x: Tensor): Tensor2D => tf.reshape(x, [x.shape[0] ?? 0, sizeOf(x.shape.slice(1))]);

/**
 * x·σ(x) (Ramachandran et al. 2017), any shape. The gradient is written out: four element-wise passes, where autodiff
 * of the two ops takes six.
 */
export const swish = <T extends Tensor>(x: T): T =>
  withGradient([x], () => {
    const gate = tf.sigmoid(x);
    const value = tf.mul<T>(x, gate);
    return {
      value,
      saved: [gate, value],
      gradient: (dy, [s, y]) => [tf.mul(dy, tf.add(s, tf.mul(y, tf.sub(1, s))))], // y' = σ + y·(1 - σ)
    };
  });

/** Below this squared norm a row counts as zero and is scaled by 1e12, as PyTorch's `normalize` does. */
const MIN_SQUARED_NORM = 1e-24;

/** Rows scaled to unit length; [n, d] → [n, d]. */
export const unitRows = (x: Tensor2D): Tensor2D =>
  withGradient([x], () => {
    const inverse = tf.rsqrt(tf.maximum(tf.sum(tf.square(x), 1, true), MIN_SQUARED_NORM)); // [n, 1]
    const value = tf.mul<Tensor2D>(x, inverse);
    return {
      value,
      saved: [value, inverse],
      gradient: (dy, [z, scale]) => [tf.mul(scale, tf.sub(dy, tf.mul(z, tf.sum(tf.mul(dy, z), 1, true))))],
    };
  });
