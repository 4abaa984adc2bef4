import type { GradConfig } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { gradients } from "./tfjs-gradients.gen.ts";

/**
 * Makes tfjs's own gradients of the ops that the tracer knows available to its autodiff: tfjs-core alone registers none.
 * What is registered already stays; a second call does nothing.
 */
export function registerGradients(): void {
  for (const config of gradients as readonly GradConfig[]) {
    if (!tf.getGradient(config.kernelName)) tf.registerGradient(config);
  }
}
