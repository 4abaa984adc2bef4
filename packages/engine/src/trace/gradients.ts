import type { GradConfig } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { gradients } from "./tfjs-gradients.gen.ts";

/** Ops that are flat wherever they have a gradient; tfjs registers none, though `tf.where(tf.greater(x, 0), …)` needs it. */
const UNARY_FLAT: ReadonlySet<string> = new Set(["LogicalNot", "Any", "All"]);
const FLAT = [...UNARY_FLAT, "Greater", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr"];

/**
 * Makes tfjs's own gradients of the ops that the tracer knows available to its autodiff: tfjs-core alone registers none.
 * What is registered already stays; a second call does nothing.
 */
export function registerGradients(): void {
  for (const config of [...(gradients as readonly GradConfig[]), ...FLAT.map(zeroGradient)]) {
    if (!tf.getGradient(config.kernelName)) tf.registerGradient(config);
  }
}

/** Zeros for every input. */
function zeroGradient(kernelName: string): GradConfig {
  const inputsToSave = UNARY_FLAT.has(kernelName) ? ["x"] : ["a", "b"];
  const gradFunc = (_dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
    Object.fromEntries(inputsToSave.map((name, i) => [name, () => tf.zeros(saved[i]?.shape ?? [])]));
  return { kernelName, inputsToSave, gradFunc };
}
