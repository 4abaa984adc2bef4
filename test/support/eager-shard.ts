import type { Inputs, Model, Present, Shape, TrainState } from "@gmc/core";
import { tensorLayout, tensorViews } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";

type Weights = Pick<TrainState, "parameters" | "buffers">;
type Specs = readonly { readonly name: string; readonly shape: Shape }[];
export type Arrays = Record<string, Float32Array>;

/** tfjs's own JavaScript backend, without its banner that recommends another. */
export async function useCpuBackend(): Promise<void> {
  await import("@tensorflow/tfjs-backend-cpu");
  tf.env().set("IS_TEST", true);
  await tf.setBackend("cpu");
  tf.scalar(0).dispose(); // the banner comes with the first tensor
  tf.env().set("IS_TEST", false);
}

/**
 * A shard's forward, op by op, and the gradient of Σ embeddings·dz + localWeight·localLoss: what a compiled model's forward
 * and backward promise.
 */
export function eagerShard(
  model: Model,
  weights: Weights,
  inputs: Inputs,
  rows: number,
  cotangent: { readonly dz: Float32Array; readonly localWeight: number },
): { forward: Arrays; gradient: Arrays } {
  const forward: Arrays = {};
  let gradient: Arrays = {};
  tf.tidy(() => {
    const x = tensorsOf(model.inputs(rows, "train"), inputs);
    const buffers = tensorsOf(model.buffers, viewsOf(model.buffers, weights.buffers));
    const names = model.parameters.map(({ name }) => name);
    const objective = (...values: tf.Tensor[]): tf.Scalar => {
      const parameters = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
      const { embeddings, localLoss, batchStatistics = {} } = model.forward(parameters, buffers, x);
      Object.assign(
        forward,
        arraysOf({ ...batchStatistics, ...(embeddings && { embeddings }), ...(localLoss && { localLoss }) }),
      );
      const terms: tf.Tensor[] = [];
      if (embeddings) terms.push(tf.sum(tf.mul(embeddings, tf.tensor(cotangent.dz, embeddings.shape))));
      if (localLoss) terms.push(tf.mul(localLoss, cotangent.localWeight));
      return tf.addN(terms) as tf.Scalar;
    };
    const parameters = tensorsOf(model.parameters, viewsOf(model.parameters, weights.parameters));
    const { grads } = tf.valueAndGrads(objective)(names.map((name) => parameters[name]!));
    gradient = arraysOf(Object.fromEntries(names.map((name, i) => [name, grads[i]!])));
  });
  return { forward, gradient };
}

/** An encoding, op by op. */
export function eagerEncode(
  model: Model,
  weights: Weights,
  inputs: Inputs,
  rows: number,
  present: Present,
): { code: Float32Array; outputs: Arrays } {
  let result = { code: new Float32Array(0), outputs: {} as Arrays };
  tf.tidy(() => {
    const parameters = tensorsOf(model.parameters, viewsOf(model.parameters, weights.parameters));
    const buffers = tensorsOf(model.buffers, viewsOf(model.buffers, weights.buffers));
    const { code, outputs = {} } = model.encode(
      parameters,
      buffers,
      tensorsOf(model.inputs(rows, present), inputs),
      present,
    );
    result = { code: Float32Array.from(code.dataSync()), outputs: arraysOf(outputs) };
  });
  return result;
}

const viewsOf = (specs: Specs, flat: Float32Array): Arrays => tensorViews(tensorLayout(specs), flat);

const tensorsOf = (specs: Specs, arrays: Inputs): Record<string, tf.Tensor> =>
  Object.fromEntries(specs.map(({ name, shape }) => [name, tf.tensor(arrays[name]!, [...shape])]));

const arraysOf = (tensors: Readonly<Record<string, tf.Tensor>>): Arrays =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, Float32Array.from(tensor.dataSync())]));
