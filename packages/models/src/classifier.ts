import type { InputSpec, Model } from "@gmc/core";
import { UsageError } from "@gmc/core";
import type { Scalar, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { dense, denseParameters, flatten } from "./layers.ts";
import { openScope, prefixed, tensorNamed } from "./scope.ts";

/** A downstream classifier's widths. */
export interface ClassifierConfig {
  /** Width of the codes. */
  readonly inputDim: number;
  /** Hidden units of each layer, ReLU after each; [256, 128] is the paper's. */
  readonly widths: readonly number[];
  readonly classes: number;
}

const PART = "classifier";

/**
 * Classifier of codes: dense layers with ReLU, then logits. Its one modality is `code`, its target `target` (one-hot);
 * the local loss is the mean softmax cross entropy in nats; `encode` hands the code on and outputs `logits` [b, classes].
 *
 * @throws {RangeError} when a width is no positive integer
 */
export function classifierModel({ inputDim, widths, classes }: ClassifierConfig): Model {
  const all = [inputDim, ...widths, classes];
  if (!all.every((width) => Number.isInteger(width) && width > 0)) {
    throw new RangeError(`classifierModel: widths are positive integers, received [${all}]`);
  }
  const outputs = all.slice(1);
  const code = (rows: number): InputSpec => ({ name: "code", shape: [rows, inputDim], source: { kind: "modality" } });
  const target = (rows: number): InputSpec => ({ name: "target", shape: [rows, classes], source: { kind: "target" } });

  function logits(parameters: Readonly<Record<string, tf.Tensor>>, x: Tensor2D): Tensor2D {
    const scope = openScope(PART, parameters, {});
    return outputs.reduce((hidden, _, i) => {
      const y = dense(hidden, `dense${i}`, scope);
      return i < widths.length ? tf.relu(y) : y;
    }, x);
  }

  return {
    parameters: outputs.flatMap((width, i) =>
      prefixed(PART, denseParameters(`dense${i}`, all[i] ?? 0, width)).map((spec) => ({ ...spec, part: PART })),
    ),
    buffers: [],
    modalities: ["code"],
    inputs(rows, use) {
      if (use === "train") return [code(rows), target(rows)];
      if (use.length !== 1 || use[0] !== "code") {
        throw new UsageError(`Expected the classifier's one modality (code), received ${use.join(", ") || "none"}.`, {
          received: use,
        });
      }
      return [code(rows)];
    },
    forward(parameters, _buffers, inputs) {
      const logProbabilities = tf.logSoftmax(logits(parameters, flatten(tensorNamed(inputs, "code", "modality"))));
      const chosen = tf.mul(logProbabilities, tensorNamed(inputs, "target", "target")); // [b, classes], one value a row
      const rows = logProbabilities.shape[0];
      return { localLoss: tf.mul<Scalar>(tf.sum(chosen), -1 / rows) };
    },
    encode(parameters, _buffers, inputs) {
      const x = flatten(tensorNamed(inputs, "code", "modality"));
      return { code: x, outputs: { logits: logits(parameters, x) } };
    },
  };
}
