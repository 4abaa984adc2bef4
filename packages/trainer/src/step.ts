import type { Cotangent, ShardForward, UpdateRule } from "@gmc/core";
import { NonFiniteError, treeSumScalars } from "@gmc/core";
import type { GlobalBatch } from "@gmc/data";
import type { GlobalLoss } from "@gmc/engine";
import { eachShard } from "./each-shard.ts";
import { firstNonFinite } from "./finite.ts";
import type { FiniteCheck } from "./finite-check.ts";
import { finiteCheck } from "./finite-check.ts";
import { bitsOf, blockLength, layoutOf, numberAt, packForward, unpackForward } from "./forward-block.ts";
import { interleave } from "./interleave.ts";
import { nextBuffers } from "./running-buffers.ts";
import type { StepExchange } from "./scope-calls.ts";
import { ScopeCalls } from "./scope-calls.ts";
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
  /** Rows of the whole batch. */
  readonly samples: number;
  /** Absent alone. */
  readonly exchange?: StepExchange;
}

/**
 * One training step, exact over the global batch of V shards whoever runs them: the loss of the batch before the step,
 * after parameters, moments and buffers have moved. When it throws, nothing has moved and nothing runs any more.
 *
 * A worker runs its own shards, as many at once as its replica can. What is theirs alone stays so; what all need is
 * gathered; what is summed over shards is summed in the tree: the bits are those of one worker, one shard after another.
 * Alone is a group of one. The gradient is reduced part by part while the next part's backward runs.
 *
 * @param batch           with the shards of this worker, in its order
 * @param lastCheckpoint  named when the step fails
 * @throws {NonFiniteError} naming step, shard and tensor, on every worker
 * @throws what the collective and the commit throw when the group is over
 */
export async function trainStep(
  context: StepContext,
  batch: GlobalBatch,
  rule: UpdateRule,
  lastCheckpoint: string | null = null,
): Promise<StepReport> {
  const graph = await graphOf(context, batch);
  const step = batch.step + 1;
  const calls = new ScopeCalls(graph.collective, `${step}`, context.signal);
  const finite = finiteCheck(context.model, step, lastCheckpoint);
  graph.gradients.clear();
  try {
    const report = await makeStep(context, graph, calls, finite, batch, rule);
    context.released = calls.release();
    context.released.catch(() => {}); // thrown by the next step, before it changes anything
    return report;
  } catch (error) {
    throw await calls.stop(error);
  }
}

async function makeStep(
  context: StepContext,
  graph: StepGraph,
  calls: ScopeCalls,
  finite: FiniteCheck,
  batch: GlobalBatch,
  rule: UpdateRule,
): Promise<StepReport> {
  const { model, replica, random, group, gradient } = context;
  const { own, total, rows, compiled, gradients, collective } = graph;
  const { shardsAtOnce: atOnce = 1 } = replica;
  const alone = collective.shardsOfWorkers.length === 1;

  const forwards = await allForwards(graph, calls, atOnce, (v, i) =>
    compiled.forward(i, { ...batch.shards[i], ...random.draw(batch.step, i, v * rows, rows) }),
  );
  for (const [v, forward] of forwards.entries()) finite.forward(v, forward);

  const contrast = await contrastAll(context, graph, calls, forwards);
  const shares = new SharedLosses(graph, calls, contrast !== undefined);
  const reduce = ({ range, sums }: ReturnType<typeof gradients.finish>[number]): void =>
    calls.reduce(range, sums, gradient, context.add);
  await eachShard(own.length, atOnce, async (i) => {
    const v = own[i] ?? 0;
    const share = contrast?.(v);
    const mine = share instanceof Promise ? await share : share; // at once, so that this shard runs while the next one's is computed
    shares.set(v, mine?.loss ?? 0);
    const onPart = async (range: Parameters<typeof gradients.part>[1]): Promise<void> => {
      const closed = gradients.part(v, range);
      if (closed) reduce(closed);
    };
    const cotangent = cotangentOf(mine?.dz, total);
    await compiled.backward(i, cotangent, gradients.open(v), ...(alone ? [] : [onPart]));
    gradients.add(v).forEach(reduce);
  });
  gradients.finish().forEach(reduce);

  const contrastive = await shares.all();
  for (const [v, share] of contrastive.entries()) finite.value(v, "contrastive loss", share);
  const losses = objective(contrastive, forwards);
  const statistics = forwards.map((forward) => forward.batchStatistics ?? NO_STATISTICS);
  const buffers = nextBuffers(model, context.buffers, statistics);
  await calls.reduced();
  await context.released;

  const commit = group && (() => calls.committed(group.commit({ step: batch.step + 1, phase: "trained" })));
  const { gradientNorm } = await replica.update(gradient, rule, buffers, commit).catch(async (error: unknown) => {
    if (error instanceof NonFiniteError) await blame(context, graph, calls, batch, finite, contrast);
    throw error;
  });
  context.buffers = buffers;
  return { ...losses, gradientNorm, samples: total * rows, ...(group && { exchange: calls.exchange }) };
}

/**
 * The objective of a batch without a step: what validation takes. Masks are ones, noise is zero.
 *
 * @param scope  of its calls on the group; another one for every batch
 */
export async function batchLoss(
  context: StepContext,
  batch: Pick<GlobalBatch, "shards" | "total">,
  scope = "loss",
): Promise<number> {
  const graph = await graphOf(context, batch);
  const { shardsAtOnce: atOnce = 1 } = context.replica;
  const calls = new ScopeCalls(graph.collective, scope, context.signal);
  const neutral = context.random.neutral(graph.rows);
  try {
    const forwards = await allForwards(graph, calls, atOnce, (_, i) =>
      graph.compiled.forward(i, { ...batch.shards[i], ...neutral }),
    );
    const contrast = await contrastAll(context, graph, calls, forwards);
    const shares = new SharedLosses(graph, calls, contrast !== undefined);
    await eachShard(graph.own.length, atOnce, async (i) => {
      const v = graph.own[i] ?? 0;
      shares.set(v, (await contrast?.(v))?.loss ?? 0);
    });
    const { loss } = objective(await shares.all(), forwards);
    await calls.release();
    return loss;
  } catch (error) {
    throw await calls.stop(error);
  }
}

async function graphOf(context: StepContext, { shards, total }: Pick<GlobalBatch, "shards" | "total">) {
  const graph = await context.graph(total, rowsOf(context.model, shards));
  if (graph.own.length === shards.length) return graph;
  throw new RangeError(`The batch holds ${shards.length} shards, this worker owns ${graph.own.length}.`);
}

/** What all V shards' forwards gave, in shard order; own ones run, the others are gathered. The arrays are views. */
async function allForwards(
  graph: StepGraph,
  calls: ScopeCalls,
  atOnce: number,
  forward: (shard: number, place: number) => Promise<ShardForward>,
): Promise<readonly ShardForward[]> {
  const { own, total } = graph;
  const layouts: ReturnType<typeof layoutOf>[] = [];
  const blocks = await eachShard(own.length, atOnce, async (i) => {
    const v = own[i] ?? 0;
    const result = await forward(v, i);
    layouts[i] = layoutOf(result);
    const block = graph.room(`forward/${i}`, blockLength(layouts[i]));
    packForward(result, block);
    return [v, block] as const;
  });
  const [layout] = layouts;
  const length = blocks[0]?.[1].length ?? 0;
  const into = graph.room("forwards", total * length);
  const all = await calls.gathered(calls.gather("forwards", new Map(blocks), into));
  return cut(all, total).map((block) => unpackForward(block, layout ?? layoutOf({})));
}

/** V equal parts of a vector, as views. */
const cut = (all: Float32Array, total: number): readonly Float32Array[] => {
  const length = all.length / total;
  return Array.from({ length: total }, (_, v) => all.subarray(v * length, (v + 1) * length));
};

/** Each shard's share of the contrastive loss: own ones are set, all are gathered as soon as the last of them is. */
class SharedLosses {
  readonly #graph: StepGraph;
  readonly #calls: ScopeCalls;
  readonly #contrasted: boolean;
  readonly #own = new Map<number, Float32Array>();
  #gather: Promise<Float32Array> | undefined;

  constructor(graph: StepGraph, calls: ScopeCalls, contrasted: boolean) {
    this.#graph = graph;
    this.#calls = calls;
    this.#contrasted = contrasted;
  }

  set(shard: number, loss: number): void {
    this.#own.set(shard, bitsOf(loss));
    if (this.#contrasted && this.#own.size === this.#graph.own.length) {
      this.#gather = this.#calls.gather("losses", this.#own);
    }
  }

  /** V losses, in shard order. */
  async all(): Promise<readonly number[]> {
    const { total } = this.#graph;
    if (!this.#gather) return new Array<number>(total).fill(0);
    return cut(await this.#calls.gathered(this.#gather), total).map((block) => numberAt(block));
  }
}

/** Of the objective in what a shard's forward gave. */
const cotangentOf = (dz: Float32Array | undefined, total: number): Cotangent =>
  dz ? { dz, localWeight: 1 / total } : { localWeight: 1 / total };

type LossShare = ReturnType<GlobalLoss["gradient"]>;
type Contrast = (shard: number) => LossShare | Promise<LossShare>;

const NO_STATISTICS = new Float32Array(0);

/**
 * (M+1)·B²·d up to which all normalisers take less time than asking other workers for theirs: half a millisecond, where a
 * gather takes one and waits for the slowest (packages/collectives/docs/0005-two-workers-on-two-cores.md).
 */
const SMALL_LOSS = 2_000_000;

/** Loss share and gradient of one shard's rows, from the embeddings and normalisers of all; absent where nothing is contrasted. */
async function contrastAll(
  { model, replica }: StepContext,
  graph: StepGraph,
  calls: ScopeCalls,
  forwards: readonly ShardForward[],
): Promise<Contrast | undefined> {
  const { contrastive, modalities } = model;
  if (!contrastive) return undefined;
  const { own, total, rows } = graph;
  const sets = modalities.length + 1;
  const blocks = forwards.map((forward, v) => embeddingsOf(forward, v));
  const length = (blocks[0]?.length ?? 0) * total;
  const loss = graph.globalLoss(contrastive, length / (sets * total * rows));
  const rangeOf = (v: number) => ({ start: v * rows, end: (v + 1) * rows });

  const z = interleave(blocks, sets, graph.room("embeddings", length)); // [M+1, B, d]
  const { normalisersPerRow } = loss; // K
  const size = normalisersPerRow * total * rows;
  const small = length * total * rows <= SMALL_LOSS;
  const computed = small ? Array.from(forwards.keys()) : own;
  const mine = await eachShard(computed.length, replica.shardsAtOnce ?? 1, async (i) => {
    const v = computed[i] ?? 0;
    return [v, await loss.logNormalisers(z, rangeOf(v))] as const; // [K, b]
  });
  const gather = () => calls.gather("normalisers", new Map(mine), graph.room("normaliser-blocks", size));
  const all = small ? mine.map(([, block]) => block) : cut(await calls.gathered(gather()), total);
  const normalisers = interleave(all, normalisersPerRow, graph.room("normalisers", size)); // [K, B]
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

/**
 * Names the shard whose gradient is not finite, on every worker the same. A healthy step does not look: what is not
 * finite in a shard is not finite in the sum, and `update` takes its norm anyway. A step that was not committed can be
 * computed again, shard by shard.
 */
async function blame(
  { random, gradient: sum }: StepContext,
  { own, total, rows, compiled }: StepGraph,
  calls: ScopeCalls,
  batch: GlobalBatch,
  finite: FiniteCheck,
  contrast: Contrast | undefined,
): Promise<void> {
  if (total === 1) finite.gradient(0, sum);
  const gradient = new Float32Array(sum.length);
  const found = new Map<number, Float32Array>();
  for (const [i, v] of own.entries()) {
    await compiled.forward(i, { ...batch.shards[i], ...random.draw(batch.step, i, v * rows, rows) });
    await compiled.backward(i, cotangentOf((await contrast?.(v))?.dz, total), gradient);
    const index = firstNonFinite(gradient);
    found.set(v, new Float32Array(Float64Array.of(index, gradient[index] ?? 0).buffer));
  }
  const all = await calls.gather("blame", found);
  for (const [v, block] of cut(all, total).entries()) {
    const index = numberAt(block);
    if (index >= 0) finite.gradientAt(v, index, numberAt(block, 2));
  }
  finite.gradient(null, sum);
}
