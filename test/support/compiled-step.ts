import type { CompiledModel, Inputs, Model } from "@gmc/core";
import { tensorLayout, treeSum, treeSumScalars } from "@gmc/core";
import { contrastiveLoss } from "@gmc/engine";

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

/** A training step as the trainer does it, without its checks: all forwards, the global loss, all backwards, the tree. */
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
    blocks.length > 0 && model.contrastive ? globalLoss(model.contrastive, blocks, views, compiled.rows) : undefined;
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

/** Loss of all shards' embeddings and its derivative, a block a shard. */
function globalLoss(
  spec: NonNullable<Model["contrastive"]>,
  blocks: readonly Float32Array[],
  views: number,
  rows: number,
) {
  const dim = (blocks[0]?.length ?? 0) / views / rows;
  const batch = blocks.length * rows;
  const embeddings = new Float32Array(views * batch * dim); // [M+1, B, d]
  for (let view = 0; view < views; view++) {
    for (const [shard, block] of blocks.entries()) {
      const own = block.subarray(view * rows * dim, (view + 1) * rows * dim);
      embeddings.set(own, (view * batch + shard * rows) * dim);
    }
  }
  const loss = contrastiveLoss(spec, { modalities: views - 1, batch, dim });
  const normalisers = loss.logNormalisers(embeddings, { start: 0, end: batch });
  const shares = blocks.map((_, shard) =>
    loss.gradient(embeddings, normalisers, { start: shard * rows, end: (shard + 1) * rows }),
  );
  return { loss: treeSumScalars(shares.map((share) => share.loss)), embeddings, dz: shares.map(({ dz }) => dz) };
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
