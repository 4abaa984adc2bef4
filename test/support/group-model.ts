import type { InputSpec, Model, Tensors } from "@gmc/core";
import { buildModel } from "@gmc/models";
import { goldenSmallModel } from "@gmc/testkit";
import type { Scalar } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/**
 * The small golden model with everything that could tell workers apart: batch norm and a contrastive loss as it has them,
 * and besides dropout on an input and a local loss.
 */
export async function groupModel(): Promise<Model> {
  const model = await goldenSmallModel(buildModel);
  const masked = (rows: number): InputSpec[] =>
    model
      .inputs(rows, "train")
      .filter(({ name }) => name === "trajectory")
      .map(({ shape }) => ({ name: MASK, shape, source: { kind: "mask", keep: 0.7 } }));
  return {
    ...model,
    inputs: (rows, use) => [...model.inputs(rows, use), ...(use === "train" ? masked(rows) : [])],
    forward(parameters: Tensors, buffers: Tensors, { [MASK]: mask, ...inputs }: Tensors) {
      const { trajectory } = inputs;
      if (!mask || !trajectory) throw new RangeError("groupModel: an input is missing");
      const forward = model.forward(parameters, buffers, { ...inputs, trajectory: tf.mul(trajectory, mask) });
      if (!forward.embeddings) throw new RangeError("groupModel: no embeddings");
      const squares = tf.square(forward.embeddings);
      return { ...forward, localLoss: tf.mean(tf.mul(squares, squares)) as Scalar };
    },
  };
}

const MASK = "trajectory.mask";
