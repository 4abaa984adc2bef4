import type { ContrastiveShape, ContrastiveSpec, EncodedError, Range } from "@gmc/core";
import { encodeError } from "@gmc/core";
import { move, transferableSymbol, valueSymbol } from "piscina";
import type { GlobalLoss } from "./contrastive-loss.ts";
import { contrastiveLoss } from "./contrastive-loss.ts";

/** One call of a `GlobalLoss`: its normalisers, or with those of all rows its gradient. */
export interface LossTask {
  readonly spec: ContrastiveSpec;
  readonly shape: ContrastiveShape;
  readonly z: Float32Array;
  readonly rows: Range;
  readonly logNormalisers?: Float32Array;
}

/** What comes back from the thread; without a gradient `values` are log-normalisers and `loss` is 0. */
export type LossResult =
  | { readonly values: Float32Array<ArrayBuffer>; readonly loss: number }
  | { readonly error: EncodedError };

/** The one that was used last: a run has one, and a validation's batches have the same shape. */
let last: { readonly key: string; readonly loss: GlobalLoss } | undefined;

/** Thread entry: a share of the contrastive loss; the result's array is moved, not copied. */
export default function computeLoss(task: LossTask): LossResult {
  try {
    const result = compute(task);
    return move({ [transferableSymbol]: [result.values.buffer], [valueSymbol]: result }) as unknown as LossResult;
  } catch (error) {
    return { error: encodeError(error) };
  }
}

function compute({ spec, shape, z, rows, logNormalisers }: LossTask) {
  const key = JSON.stringify([spec, shape]);
  if (last?.key !== key) last = { key, loss: contrastiveLoss(spec, shape) };
  if (!logNormalisers) return { values: last.loss.logNormalisers(z, rows) as Float32Array<ArrayBuffer>, loss: 0 };
  const { dz, loss } = last.loss.gradient(z, logNormalisers, rows);
  return { values: dz as Float32Array<ArrayBuffer>, loss };
}
