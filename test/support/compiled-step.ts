import type { CompiledModel, Inputs, Model } from "@gmc/core";
import { tensorLayout, treeSum, treeSumScalars } from "@gmc/core";
import { contrastiveLoss } from "@gmc/models";
import * as tf from "@tensorflow/tfjs-core";

/** What one training step of a compiled model gives before the update. */
export interface CompiledStep {
  readonly loss: number;
  /** [M+1, B, d] */
  readonly embeddings?: Float32Array;
  /** [P] */
  readonly gradient: Float32Array;
  /** [Q] mean over the shards of their batch statistics. */
  readonly statistics: Float32Array;
}

/** tfjs's own JavaScript backend, without its banner that recommends another. */
export async function useCpuBackend(): Promise<void> {
  await import("@tensorflow/tfjs-backend-cpu");
  tf.env().set("IS_TEST", true);
  await tf.setBackend("cpu");
  tf.scalar(0).dispose(); // the banner comes with the first tensor
  tf.env().set("IS_TEST", false);
}

/** A training step as the trainer does it, with `models`' reference loss: all forwards, the global loss, all backwards, the tree. */
export async function compiledStep(
  model: Model,
  compiled: CompiledModel,
  shards: readonly Inputs[],
): Promise<CompiledStep> {
  const results = [];
  for (const [shard, inputs] of shards.entries()) results.push(await compiled.forward(shard, inputs));
  const blocks = results.flatMap(({ embeddings }) => (embeddings ? [embeddings] : []));
  const views = model.modalities.length + 1;
  const contrast =
    blocks.length > 0 && model.contrastive ? referenceLoss(model.contrastive, blocks, views, compiled.rows) : undefined;
  const localWeight = 1 / shards.length;
  const gradients: Float32Array[] = [];
  for (const shard of shards.keys()) {
    const gradient = new Float32Array(tensorLayout(model.parameters).length);
    const dz = contrast?.dz[shard];
    await compiled.backward(shard, { localWeight, ...(dz ? { dz } : {}) }, gradient);
    gradients.push(gradient);
  }
  const statistics = results.map(({ batchStatistics }) => batchStatistics ?? new Float32Array(0));
  const local = treeSumScalars(results.map(({ localLoss = 0 }) => localLoss)) * localWeight;
  return {
    loss: (contrast?.loss ?? 0) + local,
    ...(contrast ? { embeddings: contrast.embeddings } : {}),
    gradient: treeSum(gradients, new Float32Array(gradients[0]?.length ?? 0)),
    statistics: treeSum(statistics, new Float32Array(statistics[0]?.length ?? 0)).map((sum) => sum * localWeight),
  };
}

/** Loss of all shards' embeddings and its derivative, cut into the shards' blocks again. */
function referenceLoss(
  spec: NonNullable<Model["contrastive"]>,
  blocks: readonly Float32Array[],
  views: number,
  rows: number,
) {
  return tf.tidy(() => {
    const all = tf.concat(
      blocks.map((block) => tf.tensor3d(block, [views, rows, block.length / views / rows])),
      1,
    );
    const { value, grad } = tf.valueAndGrad((z: tf.Tensor) => contrastiveLoss(z as tf.Tensor3D, spec))(all);
    const dz = tf.split(grad, blocks.length, 1).map((block) => Float32Array.from(block.dataSync()));
    return { loss: value.dataSync()[0] ?? Number.NaN, embeddings: Float32Array.from(all.dataSync()), dz };
  });
}

/** One momentum step of the running buffers, as the trainer takes it. */
export const movedBuffers = (model: Model, buffers: Float32Array, statistics: Float32Array): Float32Array => {
  const moved = buffers.slice();
  for (const [i, { start, end }] of tensorLayout(model.buffers).entries.entries()) {
    const momentum = model.buffers[i]?.momentum ?? 0;
    for (let e = start; e < end; e++) moved[e] = (1 - momentum) * (buffers[e] ?? 0) + momentum * (statistics[e] ?? 0);
  }
  return moved;
};
