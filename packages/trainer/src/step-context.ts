import type { CompiledModel, ContrastiveSpec, Inputs, Model, Replica, ThreadedLoss } from "@gmc/core";
import { ShapeError, sizeOf, tensorLayout } from "@gmc/core";
import type { GlobalLoss } from "@gmc/engine";
import { contrastiveLoss } from "@gmc/engine";
import type { RandomInputs } from "./random-inputs.ts";
import { randomInputs } from "./random-inputs.ts";
import type { RunningSum } from "./running-sum.ts";
import { runningSum } from "./running-sum.ts";

/** What the steps of one run share: made once, so that a step allocates next to nothing. */
export interface StepContext {
  readonly model: Model;
  readonly replica: Replica;
  readonly random: RandomInputs;
  /** The gradient's tree sum and its buffers. */
  readonly gradients: RunningSum;
  /** [Q] running buffers as the replica has them; replaced by every committed step. */
  buffers: Float32Array;
  /** The graph for shards of so many rows, compiled once. */
  graph(shards: number, rows: number): Promise<StepGraph>;
}

/** A model compiled for V shards of b rows, with the loss over the B = V·b rows of their batch. */
export interface StepGraph {
  readonly shards: number;
  readonly rows: number;
  readonly compiled: CompiledModel;
  /** The contrastive loss of the whole batch for embeddings of `dim` numbers, made once. */
  globalLoss(spec: ContrastiveSpec, dim: number): GlobalLoss | ThreadedLoss;
  /** Shared memory of that length for what the shards' blocks are gathered into, kept from step to step. */
  room(purpose: "embeddings" | "normalisers", length: number): Float32Array;
}

/**
 * @param seed     keys masks and noise
 * @param buffers  [Q] as the replica has them
 */
export function stepContext(model: Model, replica: Replica, seed: number, buffers: Float32Array): StepContext {
  const graphs = new Map<string, Promise<StepGraph>>();
  return {
    model,
    replica,
    random: randomInputs(model, seed),
    gradients: runningSum(tensorLayout(model.parameters).length, replica.gradient, replica.gradientBlocks),
    buffers,
    graph(shards, rows) {
      const key = `${shards}x${rows}`;
      const graph = graphs.get(key) ?? compile(model, replica, shards, rows);
      graphs.set(key, graph);
      return graph;
    },
  };
}

/**
 * b, rows of every shard.
 *
 * @throws {ShapeError} when an input has another length than its shape says, or shards differ in rows
 */
export function rowsOf(model: Model, shards: readonly Inputs[]): number {
  let rows: number | undefined;
  for (const { name, shape, source } of model.inputs(1, "train")) {
    if (source.kind === "mask" || source.kind === "noise") continue;
    const width = sizeOf(shape);
    for (const [v, inputs] of shards.entries()) {
      const length = inputs[name]?.length ?? 0;
      rows ??= Math.floor(length / width);
      if (rows < 1 || length !== rows * width) {
        throw new ShapeError(`Shard ${v}, input "${name}"`, [rows, ...shape.slice(1)], [length]);
      }
    }
  }
  if (rows === undefined) throw new RangeError("A model reads at least one modality or target to be trained.");
  return rows;
}

async function compile(model: Model, replica: Replica, shards: number, rows: number): Promise<StepGraph> {
  const compiled = await replica.compile(rows);
  const rooms = new Map<string, Float32Array>();
  let loss: GlobalLoss | ThreadedLoss | undefined;
  return {
    shards,
    rows,
    compiled,
    globalLoss(spec, dim) {
      const shape = { modalities: model.modalities.length, batch: shards * rows, dim };
      loss ??= replica.contrastiveLoss?.(spec, shape) ?? contrastiveLoss(spec, shape);
      return loss;
    },
    room(purpose, length) {
      const known = rooms.get(purpose);
      const array = known?.length === length ? known : new Float32Array(new SharedArrayBuffer(length * 4));
      rooms.set(purpose, array);
      return array;
    },
  };
}
