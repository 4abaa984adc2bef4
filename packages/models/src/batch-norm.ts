import type { BufferSpec } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import type { Tensor, Tensor1D, Tensor3D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { BlockParameter, Scope } from "./scope.ts";
import { withGradient } from "./with-gradient.ts";

const EPSILON = 1e-5;
const MOMENTUM = 0.1;

/** `NAME.scale` [channels], from 1, and `NAME.shift` [channels], from 0. */
export const batchNormParameters = (name: string, channels: number): BlockParameter[] => [
  { name: `${name}.scale`, shape: [channels], initialiser: { kind: "constant", value: 1 } },
  { name: `${name}.shift`, shape: [channels], initialiser: { kind: "constant", value: 0 } },
];

/** `NAME.mean` [channels], from 0, and `NAME.variance` [channels], from 1; momentum 0.1. */
export const batchNormBuffers = (name: string, channels: number): BufferSpec[] => [
  { name: `${name}.mean`, shape: [channels], initial: 0, momentum: MOMENTUM },
  { name: `${name}.variance`, shape: [channels], initial: 1, momentum: MOMENTUM },
];

/**
 * Batch norm over all axes but the last (Ioffe & Szegedy 2015). Training normalises by the batch's mean and biased
 * variance, and reports mean and unbiased variance; evaluation normalises by the buffers.
 *
 * @param x  [b, …, channels]
 * @throws {RangeError} in training with a single value a channel, which has no variance
 */
export function batchNorm<T extends Tensor>(x: T, name: string, scope: Scope): T {
  const scale = scope.parameter(`${name}.scale`) as Tensor1D;
  const shift = scope.parameter(`${name}.shift`) as Tensor1D;
  if (!scope.training) {
    const factor = tf.mul<Tensor1D>(scale, tf.rsqrt(tf.add(scope.buffer(`${name}.variance`), EPSILON))); // [c]
    return tf.add(tf.mul(tf.sub(x, scope.buffer(`${name}.mean`)), factor), shift);
  }
  const channels = x.shape.at(-1) ?? 1;
  const values = x.size / channels; // a channel
  if (values < 2) throw new RangeError(`${name}: batch norm needs two values or more a channel, received ${values}`);
  const blocks = tf.reshape(x, [x.shape[0] ?? 1, -1, channels]) as Tensor3D; // [b, s, c]
  const { mean, variance } = statistics(blocks);
  scope.report(`${name}.mean`, mean);
  scope.report(`${name}.variance`, tf.mul(variance, values / (values - 1)));
  return tf.reshape(normalise(blocks, scale, shift), x.shape) as T;
}

/** Sum over the first two axes, [b, s, c] → [c], in two stages: one long running sum in float32 is five times less exact. */
const channelSum = (x: Tensor3D): Tensor1D => tf.sum(tf.sum(x, 1), 0);

/** Mean and biased variance [c] of each channel, and the centred values [b, s, c]. */
function statistics(x: Tensor3D): { mean: Tensor1D; centred: Tensor3D; variance: Tensor1D } {
  const perValue = 1 / sizeOf(x.shape.slice(0, 2));
  const mean = tf.mul<Tensor1D>(channelSum(x), perValue);
  const centred = tf.sub<Tensor3D>(x, mean);
  return { mean, centred, variance: tf.mul(channelSum(tf.square(centred)), perValue) };
}

/**
 * (x - mean)·scale/√(variance + ε) + shift with the batch's statistics. The gradient is written out per channel, so that
 * two multiplications and two additions over the block suffice. A compiled graph shares the statistics with the caller's.
 */
const normalise = (x: Tensor3D, scale: Tensor1D, shift: Tensor1D): Tensor3D =>
  withGradient([x, scale, shift], () => {
    const { centred, variance } = statistics(x);
    const inverse = tf.rsqrt<Tensor1D>(tf.add(variance, EPSILON)); // [c]
    const factor = tf.mul<Tensor1D>(scale, inverse); // [c]
    return {
      value: tf.add<Tensor3D>(tf.mul(centred, factor), shift),
      saved: [centred, inverse, factor],
      gradient: (dy, [xc, inv, f]) => {
        const perValue = 1 / sizeOf(x.shape.slice(0, 2));
        const dShift = channelSum(dy);
        const dScale = tf.mul(inv, channelSum(tf.mul(dy, xc)));
        // dx = f·(dy - mean(dy) - x̂·mean(dy·x̂)) with x̂ = xc·inv, the means folded into factors a channel
        const slope = tf.mul(tf.mul(f, inv), tf.mul(dScale, -perValue));
        const constant = tf.mul(f, tf.mul(dShift, -perValue));
        return [tf.add(tf.mul(dy, f), tf.add(tf.mul(xc, slope), constant)), dScale, dShift];
      },
    };
  });
