import type { Inputs, Model, Present, TrainState } from "@gmc/core";
import { tensorLayout, tensorViews } from "@gmc/core";
import type { Scalar, Tensor, Tensor3D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { contrastiveLoss } from "./contrastive-loss.ts";

/** tfjs's own JavaScript backend, without its banner that recommends another. */
export async function useCpuBackend(): Promise<void> {
  await import("@tensorflow/tfjs-backend-cpu");
  tf.env().set("IS_TEST", true);
  await tf.setBackend("cpu");
  tf.scalar(0).dispose(); // the banner comes with the first tensor
  tf.env().set("IS_TEST", false); // else tfjs takes what a custom gradient saves for a leak
}

type Weights = Pick<TrainState, "parameters" | "buffers">;
type Arrays = Readonly<Record<string, Float32Array>>;

const tensorsOf = (
  specs: readonly { name: string; shape: readonly number[] }[],
  arrays: Arrays,
): Record<string, Tensor> =>
  Object.fromEntries(specs.map(({ name, shape }) => [name, tf.tensor(arrays[name] ?? [], [...shape])]));

const arraysOf = (tensors: Readonly<Record<string, Tensor>>): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, Float32Array.from(tensor.dataSync())]));

const stateTensors = (model: Model, { parameters, buffers }: Weights) => ({
  parameters: tensorsOf(model.parameters, tensorViews(tensorLayout(model.parameters), parameters)),
  buffers: tensorsOf(model.buffers, tensorViews(tensorLayout(model.buffers), buffers)),
});

/** What an eager training step gives, by name. */
export interface EagerStep {
  readonly loss: number;
  /** [M+1, B, d], the shards' rows in order. */
  readonly embeddings?: Float32Array;
  /** Of each shard. */
  readonly statistics: readonly Record<string, Float32Array>[];
  readonly gradients: Record<string, Float32Array>;
}

/**
 * Forward, objective (contrastive over all shards' embeddings + mean of the shards' local losses) and every parameter's
 * gradient, eagerly, by tfjs's own autodiff.
 *
 * @param rows  of each shard
 */
export function eagerStep(model: Model, weights: Weights, shards: readonly Inputs[], rows: number): EagerStep {
  return tf.tidy(() => {
    const { parameters, buffers } = stateTensors(model, weights);
    const names = model.parameters.map(({ name }) => name);
    let embeddings: Float32Array | undefined;
    let statistics: Record<string, Float32Array>[] = [];
    const objective = (...values: Tensor[]): Scalar => {
      const p = Object.fromEntries(names.map((name, i) => [name, values[i] as Tensor]));
      const results = shards.map((inputs) => model.forward(p, buffers, tensorsOf(model.inputs(rows, "train"), inputs)));
      statistics = results.map(({ batchStatistics = {} }) => arraysOf(batchStatistics));
      const z = results.flatMap((result) => result.embeddings ?? []);
      const losses = results.flatMap(({ localLoss }) => localLoss ?? []).map((loss) => tf.div(loss, shards.length));
      if (z.length === 0 || !model.contrastive) return tf.addN(losses) as Scalar;
      const all = tf.concat(z, 1);
      embeddings = Float32Array.from(all.dataSync());
      return tf.addN([contrastiveLoss(all, model.contrastive), ...losses]) as Scalar;
    };
    const { value, grads } = tf.valueAndGrads(objective)(names.map((name) => parameters[name] as Tensor));
    return {
      loss: value.dataSync()[0] ?? Number.NaN,
      ...(embeddings && { embeddings }),
      statistics,
      gradients: arraysOf(Object.fromEntries(names.map((name, i) => [name, grads[i] as Tensor]))),
    };
  });
}

/** The code [rows, d] and outputs of an eager encoding. */
export function eagerEncode(
  model: Model,
  weights: Weights,
  inputs: Inputs,
  rows: number,
  present: Present,
): { code: Float32Array; outputs: Record<string, Float32Array> } {
  return tf.tidy(() => {
    const { parameters, buffers } = stateTensors(model, weights);
    const { code, outputs } = model.encode(
      parameters,
      buffers,
      tensorsOf(model.inputs(rows, present), inputs),
      present,
    );
    return { code: Float32Array.from(code.dataSync()), outputs: arraysOf(outputs ?? {}) };
  });
}

/** Loss and dz of the reference contrastive loss. */
export function eagerLoss(
  z: Float32Array,
  shape: readonly [number, number, number],
  spec: NonNullable<Model["contrastive"]>,
): { loss: number; dz: Float32Array } {
  return tf.tidy(() => {
    const { value, grad } = tf.valueAndGrad((x: Tensor) => contrastiveLoss(x as Tensor3D, spec))(
      tf.tensor3d(z, [...shape]),
    );
    return { loss: value.dataSync()[0] ?? Number.NaN, dz: Float32Array.from(grad.dataSync()) };
  });
}
