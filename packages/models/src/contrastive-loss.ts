import type { ContrastiveSpec } from "@gmc/core";
import type { Scalar, Tensor1D, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/**
 * The contrastive loss of a whole batch in nats, written for reading: the reference that the engine's tiled kernel is
 * held against. It builds [2B, 2B] tables and a host-made diagonal, so train with the kernel.
 *
 * With s(u, v) = exp(u·v/τ), summed over the modalities m:
 * - `nt_xent`: the mean over the 2B rows of [z_J; z_m] of -log(s(row, its pair) / Σ s(row, every other row))
 * - `negatives_only`: mean_i of -log(s(z_m^i, z_J^i) / Σ_{j≠i} [s(z_m^i, z_J^j) + s(z_m^i, z_m^j) + s(z_J^i, z_J^j)])
 * - `joints_as_negatives`: mean_i of log Σ_{j≠i} s(z_J^i, z_J^j) - z_J^i·z_m^i/τ
 *
 * @param z  [M+1, B, d] rows of unit length, the joint ones (z_J) last
 * @throws {RangeError} with fewer than two rows (nothing is negative), or without a modality beside the joint one
 */
export function contrastiveLoss(z: Tensor3D, { loss, temperature }: ContrastiveSpec): Scalar {
  const [sets, rows] = z.shape;
  if (sets < 2 || rows < 2) {
    throw new RangeError(`contrastiveLoss: expected [M+1, B, d] with M ≥ 1 and B ≥ 2, received [${z.shape}]`);
  }
  return tf.tidy(() => {
    const [joint, ...modalities] = tf.unstack(z).toReversed() as [Tensor2D, ...Tensor2D[]]; // [B, d] each
    const terms = { nt_xent: ntXent, negatives_only: negativesOnly, joints_as_negatives: jointsAsNegatives };
    return tf.addN(modalities.map((single) => terms[loss](joint, single, temperature)));
  });
}

function ntXent(joint: Tensor2D, single: Tensor2D, temperature: number): Scalar {
  const both = tf.concat([joint, single], 0) as Tensor2D; // [2B, d]
  const positives = tf.tile(pairs(joint, single, temperature), [2]); // [2B]
  return tf.mean(tf.sub(tf.logSumExp(withoutDiagonal(similarities(both, both, temperature)), 1), positives));
}

function negativesOnly(joint: Tensor2D, single: Tensor2D, temperature: number): Scalar {
  const tables = [
    similarities(single, joint, temperature),
    similarities(single, single, temperature),
    similarities(joint, joint, temperature),
  ].map(withoutDiagonal);
  return tf.mean(tf.sub(tf.logSumExp(tf.concat(tables, 1), 1), pairs(joint, single, temperature))); // over [B, 3B]
}

function jointsAsNegatives(joint: Tensor2D, single: Tensor2D, temperature: number): Scalar {
  const negatives = tf.logSumExp(withoutDiagonal(similarities(joint, joint, temperature)), 1); // [B]
  return tf.mean(tf.sub(negatives, pairs(joint, single, temperature)));
}

/** [n, n] of u_i·v_j/τ */
const similarities = (u: Tensor2D, v: Tensor2D, temperature: number): Tensor2D =>
  tf.div(tf.matMul(u, v, false, true), temperature);

/** [B] of u_i·v_i/τ */
const pairs = (u: Tensor2D, v: Tensor2D, temperature: number): Tensor1D => tf.div(tf.sum(tf.mul(u, v), 1), temperature);

/** The table with -∞ on its diagonal, so that a row never meets itself in a sum of exponentials. */
const withoutDiagonal = (table: Tensor2D): Tensor2D =>
  tf.where(tf.cast(tf.eye(table.shape[0]), "bool"), tf.fill(table.shape, Number.NEGATIVE_INFINITY), table) as Tensor2D;
