import type { Cotangent, Inputs, ShardForward, UpdateRule } from "@gmc/core";
import { NonFiniteError, treeSumScalars } from "@gmc/core";
import type { GlobalBatch } from "@gmc/data";
import type { GlobalLoss } from "@gmc/engine";
import { eachShard } from "./each-shard.ts";
import type { FiniteCheck } from "./finite-check.ts";
import { finiteCheck } from "./finite-check.ts";
import { interleave } from "./interleave.ts";
import { nextBuffers } from "./running-buffers.ts";
import type { StepContext, StepGraph } from "./step-context.ts";
import { rowsOf } from "./step-context.ts";

/** What a committed step did. */
export interface StepReport {
  /** The objective before the step: `contrastive + local`. */
  readonly loss: number;
  /** Contrastive loss of the whole batch, in nats; 0 where nothing is contrasted. */
  readonly contrastive: number;
  /** Mean over shards of the local loss; 0 where there is none. */
  readonly local: number;
  /** 2-norm before clipping. */
  readonly gradientNorm: number;
  /** Rows of the batch. */
  readonly samples: number;
}

/**
 * One training step, exact over the global batch of V shards whoever runs them: the loss of `batch` before the step,
 * after parameters, moments and buffers have moved. When it throws, nothing has moved and nothing runs any more.
 *
 * As many shards as the replica can are under way at once. What is theirs alone stays so, and what is summed over them
 * is summed in the tree: the bits are those of one after another.
 *
 * A group of workers does the same with its own shards: where this says "all shards", blocks are gathered and sums are
 * reduced over the group, in the same order and the same tree.
 *
 * @param lastCheckpoint  named when the step fails
 * @throws {NonFiniteError} naming step, shard and tensor
 */
export async function trainStep(
  context: StepContext,
  batch: GlobalBatch,
  rule: UpdateRule,
  lastCheckpoint: string | null = null,
): Promise<StepReport> {
  const { model, replica, random, gradients } = context;
  const { shardsAtOnce: atOnce = 1 } = replica;
  const graph = await context.graph(batch.shards.length, rowsOf(model, batch.shards));
  const { compiled, shards, rows } = graph;
  const finite = finiteCheck(model, batch.step + 1, lastCheckpoint);
  gradients.clear();

  const forwards = await eachShard(shards, atOnce, async (v) => {
    const forward = await compiled.forward(v, { ...batch.shards[v], ...random.draw(batch.step, v, v * rows, rows) });
    finite.forward(v, forward);
    return forward;
  });

  const contrast = await contrastAll(context, graph, forwards);
  const shares = await eachShard(shards, atOnce, async (v) => {
    const share = contrast?.(v);
    const own = share instanceof Promise ? await share : share; // at once, so that this shard runs while the next one's is computed
    if (own) finite.value(v, "contrastive loss", own.loss);
    await compiled.backward(v, cotangent(own?.dz, shards), gradients.open(v));
    gradients.add(v);
    return own?.loss ?? 0;
  });

  const gradient = gradients.finish(); // [P] tree sum over all shards
  const statistics = forwards.map((forward) => forward.batchStatistics ?? NO_STATISTICS);
  const buffers = nextBuffers(model, context.buffers, statistics);
  const losses = objective(shares, forwards);

  const { gradientNorm } = await replica.update(gradient, rule, buffers).catch(async (error: unknown) => {
    if (error instanceof NonFiniteError) await blame(context, graph, batch, finite, gradient);
    throw error;
  });
  context.buffers = buffers;
  return { ...losses, gradientNorm, samples: shards * rows };
}

/** The objective of a batch without a step: what validation takes. Masks are ones, noise is zero. */
export async function batchLoss(context: StepContext, shards: readonly Inputs[]): Promise<number> {
  const rows = rowsOf(context.model, shards);
  const graph = await context.graph(shards.length, rows);
  const neutral = context.random.neutral(rows);
  const { shardsAtOnce: atOnce = 1 } = context.replica;
  const forwards = await eachShard(shards.length, atOnce, (v) =>
    graph.compiled.forward(v, { ...shards[v], ...neutral }),
  );
  const contrast = await contrastAll(context, graph, forwards);
  const shares = await eachShard(shards.length, atOnce, async (v) => (await contrast?.(v))?.loss ?? 0);
  return objective(shares, forwards).loss;
}

/**
 * Names the shard whose gradient is not finite. A healthy step does not look: what is not finite in a shard is not finite
 * in the sum, and `update` takes its norm anyway. A step that was not committed can be computed again, shard by shard.
 */
async function blame(
  context: StepContext,
  graph: StepGraph,
  batch: GlobalBatch,
  finite: FiniteCheck,
  sum: Float32Array,
): Promise<void> {
  const { random } = context;
  const { compiled, rows, shards } = graph;
  if (shards === 1) finite.gradient(0, sum);
  const gradient = new Float32Array(sum.length);
  const forwards: ShardForward[] = [];
  for (const [v, inputs] of batch.shards.entries()) {
    forwards.push(await compiled.forward(v, { ...inputs, ...random.draw(batch.step, v, v * rows, rows) }));
  }
  const contrast = await contrastAll(context, graph, forwards);
  for (let v = 0; v < shards; v++) {
    await compiled.backward(v, cotangent((await contrast?.(v))?.dz, shards), gradient);
    finite.gradient(v, gradient);
  }
  finite.gradient(null, sum);
}

/** Of the objective in what a shard's forward gave. */
const cotangent = (dz: Float32Array | undefined, shards: number): Cotangent =>
  dz ? { dz, localWeight: 1 / shards } : { localWeight: 1 / shards };

type LossShare = ReturnType<GlobalLoss["gradient"]>;

const NO_STATISTICS = new Float32Array(0);

/** Loss share and gradient of one shard's rows, from the embeddings and normalisers of all; absent where nothing is contrasted. */
async function contrastAll(
  { model, replica }: StepContext,
  graph: StepGraph,
  forwards: readonly ShardForward[],
): Promise<((shard: number) => LossShare | Promise<LossShare>) | undefined> {
  const { contrastive, modalities } = model;
  if (!contrastive) return undefined;
  const { shards, rows } = graph;
  const sets = modalities.length + 1;
  const blocks = forwards.map((forward, v) => embeddingsOf(forward, v));
  const length = (blocks[0]?.length ?? 0) * shards;
  const loss = graph.globalLoss(contrastive, length / (sets * shards * rows));
  const rangeOf = (v: number) => ({ start: v * rows, end: (v + 1) * rows });

  const z = interleave(blocks, sets, graph.room("embeddings", length)); // [M+1, B, d]
  const own = await eachShard(shards, replica.shardsAtOnce ?? 1, async (v) => loss.logNormalisers(z, rangeOf(v))); // V blocks [K, b]
  const { normalisersPerRow } = loss; // K
  const room = graph.room("normalisers", normalisersPerRow * shards * rows);
  const normalisers = interleave(own, normalisersPerRow, room); // [K, B]
  return (v) => loss.gradient(z, normalisers, rangeOf(v));
}

function embeddingsOf({ embeddings }: ShardForward, shard: number): Float32Array {
  if (embeddings) return embeddings;
  throw new TypeError(`Shard ${shard}: the model has a contrastive loss, but its forward gave no embeddings.`);
}

/** The sums over shards, in the tree; float64. */
function objective(shares: readonly number[], forwards: readonly ShardForward[]) {
  const contrastive = treeSumScalars(shares);
  const local = treeSumScalars(forwards.map((forward) => forward.localLoss ?? 0)) / forwards.length;
  return { loss: contrastive + local, contrastive, local };
}
