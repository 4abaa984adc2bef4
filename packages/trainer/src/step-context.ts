import type { AddInPlace, Collective } from "@gmc/collectives";
import { openLoneCollective, SubtreeSum } from "@gmc/collectives";
import type { CompiledModel, ContrastiveSpec, Inputs, Model, Replica, ThreadedLoss } from "@gmc/core";
import { ShapeError, sizeOf, tensorLayout } from "@gmc/core";
import type { GlobalLoss } from "@gmc/engine";
import { contrastiveLoss } from "@gmc/engine";
import { borrowBlocks } from "./gradient-blocks.ts";
import type { RandomInputs } from "./random-inputs.ts";
import { randomInputs } from "./random-inputs.ts";
import type { StepGroup } from "./step-group.ts";

/** What the steps of one run share: made once, so that a step allocates next to nothing. */
export interface StepContext {
  readonly model: Model;
  readonly replica: Replica;
  readonly random: RandomInputs;
  /** Absent: alone. */
  readonly group?: StepGroup;
  /** Ends waiting for the group. */
  readonly signal?: AbortSignal;
  /** [P] receives the gradient's sum over all shards; `replica.update` reads it. */
  readonly gradient: Float32Array;
  /** Adds gradients where the replica has them; absent: it has none of its own. */
  readonly add?: AddInPlace;
  /** [Q] running buffers as the replica has them; replaced by every committed step. */
  buffers: Float32Array;
  /** Said in the background: that nobody needs what the last step exchanged. */
  released: Promise<void>;
  /** The graph for batches of V shards of so many rows, compiled once. @throws {RangeError} when the group has another V */
  graph(total: number, rows: number): Promise<StepGraph>;
  /** Gives back what it borrowed of the replica; nothing may be under way. */
  close(): void;
}

/** A model compiled for shards of b rows, with the loss over the B = V·b rows of all V shards. */
export interface StepGraph {
  /** V */
  readonly total: number;
  /** b */
  readonly rows: number;
  /** Shards of this worker, in the order in which batches hold them. */
  readonly own: readonly number[];
  readonly collective: Collective;
  readonly compiled: CompiledModel;
  /** The gradients of its own shards. */
  readonly gradients: SubtreeSum;
  /** The contrastive loss of the whole batch for embeddings of `dim` numbers, made once. */
  globalLoss(spec: ContrastiveSpec, dim: number): GlobalLoss | ThreadedLoss;
  /** Shared memory of that length for one purpose, kept from step to step. */
  room(purpose: string, length: number): Float32Array;
}

export interface StepContextOptions {
  readonly group?: StepGroup;
  /** How gradients are rounded alone; a group's collective says it itself. Default fp32. */
  readonly wire?: Collective["wire"];
  readonly signal?: AbortSignal;
}

/**
 * @param seed     keys masks and noise
 * @param buffers  [Q] as the replica has them
 */
export function stepContext(
  model: Model,
  replica: Replica,
  seed: number,
  buffers: Float32Array,
  { group, wire = "fp32", signal }: StepContextOptions = {},
): StepContext {
  const { length } = tensorLayout(model.parameters);
  const gradient = replica.gradient ?? new Float32Array(length);
  const blocks = borrowBlocks(replica);
  const members = new Map<number, Member>();
  const graphs = new Map<string, Promise<StepGraph>>();

  const memberOf = (total: number): Member => {
    const known = members.get(total) ?? openMember(total);
    members.set(total, known);
    return known;
  };
  const openMember = (total: number): Member => {
    const collective = group?.collective ?? openLoneCollective(upTo(total), { wire });
    const shards = collective.shardsOfWorkers[collective.rank] ?? [];
    const all = collective.shardsOfWorkers.flat().length;
    if (all !== total) throw new RangeError(`A batch of ${total} shards in a group that shares ${all}.`);
    const alone = collective.shardsOfWorkers.length === 1;
    const gradients = new SubtreeSum({
      length,
      shards,
      total,
      wire: collective.wire,
      ...(alone && { first: gradient }), // summed where it is read; what a group is sending is not where its sum arrives
      ...(blocks && { blocks }),
    });
    return { collective, own: shards, gradients };
  };
  return {
    model,
    replica,
    random: randomInputs(model, seed),
    ...(group && { group }),
    ...(signal && { signal }),
    gradient,
    ...(blocks && { add: blocks.add }),
    buffers,
    released: Promise.resolve(),
    async graph(total, rows) {
      const key = `${total}x${rows}`;
      const graph = graphs.get(key) ?? compile(model, replica, memberOf(total), total, rows);
      graphs.set(key, graph);
      return await graph;
    },
    close: () => blocks?.close(),
  };
}

/** A worker's place among all shards. */
type Member = Pick<StepGraph, "collective" | "own" | "gradients">;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

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

async function compile(
  model: Model,
  replica: Replica,
  member: Member,
  total: number,
  rows: number,
): Promise<StepGraph> {
  const compiled = await replica.compile(rows);
  const rooms = new Map<string, Float32Array>();
  let loss: GlobalLoss | ThreadedLoss | undefined;
  return {
    ...member,
    total,
    rows,
    compiled,
    globalLoss(spec, dim) {
      const shape = { modalities: model.modalities.length, batch: total * rows, dim };
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
