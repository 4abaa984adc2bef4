import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** A value, what its gradient reads, and the gradient: one tensor an input, from dy and those saved tensors alone. */
export interface Differentiated<T extends Tensor, S extends readonly Tensor[]> {
  readonly value: T;
  readonly saved: S;
  gradient(dy: T, saved: S): Tensor[];
}

/**
 * The value of `forward`, differentiated by the gradient it gives rather than op by op (`tf.customGrad` with types).
 * The gradient must use no tensor but dy and `saved`: others may be disposed by then.
 */
export function withGradient<T extends Tensor, const S extends readonly Tensor[]>(
  inputs: readonly Tensor[],
  forward: () => Differentiated<T, S>,
): T {
  const op = tf.customGrad<T>((...args) => {
    const save = args[inputs.length] as (tensors: Tensor[]) => void;
    const { value, saved, gradient } = forward();
    save([...saved]);
    return { value, gradFunc: (dy: T, kept: Tensor[]) => gradient(dy, kept as unknown as S) };
  });
  return op(...inputs);
}
