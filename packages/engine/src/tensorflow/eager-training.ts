import { setImmediate } from "node:timers/promises";
import type { CompiledModel, Cotangent, ForwardResult, Inputs, Model, Range, ShardForward } from "@gmc/core";
import { partRanges, ShapeError, sameShape, sizeOf, TraceError, tensorLayout } from "@gmc/core";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Binding } from "./binding.ts";
import type { StateTensors } from "./state-tensors.ts";
import { inputTensors } from "./state-tensors.ts";
import type { Tape } from "./tape.ts";
import { GradientWalk, recordTape, releaseTape } from "./tape.ts";

/** One tensor of the flat gradient, and its parameter's id on a tape. */
interface Slot extends Range {
  readonly id: number;
}

/** A part of the model on a tape: how far back the walk must have gone for its gradient to be complete. */
interface TapePart {
  readonly range: Range;
  readonly slots: readonly Slot[];
  /** Index of the earliest node that reads one of its parameters; Infinity where the objective reads none. */
  readonly until: number;
}

/** What a shard keeps from its forward to its backward. */
interface Pending {
  readonly tape: Tape;
  readonly parts: readonly TapePart[];
  readonly embeddings: { readonly id: number; readonly shape: number[] } | undefined;
  readonly localLoss: { readonly id: number; readonly shape: number[] } | undefined;
}

/** A model's training shards of one number of rows, op by op on TensorFlow. */
export class EagerTraining implements CompiledModel {
  readonly rows: number;
  readonly #model: Model;
  readonly #binding: Binding;
  readonly #state: StateTensors;
  readonly #gradientLength: number;
  readonly #pending = new Map<number, Pending>();
  /** Shards whose backward is under way, and gradients that it writes. */
  readonly #running = new Set<number>();
  readonly #written = new Set<Float32Array>();

  constructor(model: Model, rows: number, binding: Binding, state: StateTensors) {
    this.rows = rows;
    this.#model = model;
    this.#binding = binding;
    this.#state = state;
    this.#gradientLength = tensorLayout(model.parameters).length;
  }

  async forward(shard: number, inputs: Inputs): Promise<ShardForward> {
    if (!Number.isSafeInteger(shard) || shard < 0)
      throw new RangeError(`forward: shard is a number from 0, received ${shard}.`);
    this.#checkIdle("forward", shard);
    this.#drop(shard);
    let given: ShardForward = {};
    this.#binding.run(() =>
      tf.tidy(() => {
        given = this.#forward(shard, inputs); // not returned: tidy would walk through every element
      }),
    );
    return given;
  }

  #forward(shard: number, inputs: Inputs): ShardForward {
    const model = this.#model;
    const { parameters, buffers } = this.#state.get();
    const x = inputTensors(model.inputs(this.rows, "train"), inputs);
    const trained = model.parameters.map(({ name }) => named(parameters, name));
    const { result, tape } = recordTape(trained, () => model.forward(parameters, buffers, x), objectivesOf);
    try {
      this.#check(result);
      const { embeddings, localLoss } = result;
      const given: ShardForward = {
        ...(embeddings && { embeddings: valuesOf(embeddings) }),
        ...(localLoss && { localLoss: valuesOf(localLoss)[0] ?? Number.NaN }),
        ...(model.buffers.length > 0 && { batchStatistics: this.#statistics(result) }),
      };
      const parts = partsOf(model, trained, tape);
      this.#pending.set(shard, {
        tape,
        parts,
        embeddings: embeddings && { id: embeddings.id, shape: embeddings.shape },
        localLoss: localLoss && { id: localLoss.id, shape: localLoss.shape },
      });
      return given;
    } catch (error) {
      releaseTape(tape);
      throw error;
    }
  }

  async backward(
    shard: number,
    cotangent: Cotangent,
    gradient: Float32Array,
    onPart: (part: Range) => Promise<void> = async () => {},
  ): Promise<void> {
    const pending = this.#takePending(shard, cotangent, gradient);
    const taken: Promise<void>[] = [];
    const give = (part: Range) => {
      taken.push(onPart(part));
      taken.at(-1)?.catch(() => {}); // thrown below; until then nobody waits for it
    };
    this.#running.add(shard);
    this.#written.add(gradient);
    try {
      await this.#walkBack(pending, cotangent, gradient, give);
    } finally {
      await Promise.allSettled(taken);
      this.#running.delete(shard);
      this.#written.delete(gradient);
    }
    await Promise.all(taken);
  }

  /** Lets go of every shard's activations. */
  release(): void {
    for (const shard of [...this.#pending.keys()]) this.#drop(shard);
  }

  async #walkBack(pending: Pending, cotangent: Cotangent, gradient: Float32Array, give: (part: Range) => void) {
    const walk = this.#binding.run(() => new GradientWalk(pending.tape, seedsOf(pending, cotangent)));
    try {
      for (const [i, { range, slots, until }] of pending.parts.entries()) {
        if (i > 0) await setImmediate(); // the event loop sends what was given, and answers
        this.#binding.run(() => {
          if (until < Number.POSITIVE_INFINITY) walk.backTo(until);
          for (const slot of slots) writeGradient(walk.take(slot.id), gradient, slot);
        });
        give(range);
      }
    } finally {
      walk.close();
    }
  }

  #takePending(shard: number, cotangent: Cotangent, gradient: Float32Array): Pending {
    this.#checkIdle("backward", shard);
    const pending = this.#pending.get(shard);
    if (!pending) {
      throw new TypeError(
        `backward: shard ${shard} has no forward waiting for its backward; call forward first, then backward once.`,
      );
    }
    if (gradient.length !== this.#gradientLength) {
      throw new TypeError(`backward: the gradient has ${this.#gradientLength} elements, received ${gradient.length}.`);
    }
    if (this.#written.has(gradient)) {
      throw new TypeError(`backward: shard ${shard} was given a gradient that another shard is still writing.`);
    }
    checkCotangent(pending, cotangent);
    this.#pending.delete(shard);
    return pending;
  }

  #drop(shard: number): void {
    const pending = this.#pending.get(shard);
    if (pending) releaseTape(pending.tape);
    this.#pending.delete(shard);
  }

  #checkIdle(what: string, shard: number): void {
    if (this.#running.has(shard)) throw new TypeError(`${what}: this shard is still running; wait for it.`);
  }

  /** @throws {ShapeError} and {TraceError} for what is not as the model declares it */
  #check(result: ForwardResult): void {
    const { embeddings, localLoss } = result;
    if (!embeddings && !localLoss) {
      throw new TraceError("Model.forward returned neither embeddings nor a localLoss: there is nothing to train.");
    }
    if (embeddings) {
      const expected = [this.#model.modalities.length + 1, this.rows, embeddings.shape[2]];
      if (!sameShape(embeddings.shape, expected)) {
        throw new ShapeError("Model.forward: embeddings [M+1, rows, d]", expected, embeddings.shape);
      }
    }
    if (localLoss && localLoss.size !== 1) throw new ShapeError("Model.forward: localLoss", [], localLoss.shape);
  }

  /** [Q] flat, in the order of the buffers. */
  #statistics({ batchStatistics = {} }: ForwardResult): Float32Array {
    const { entries, length } = tensorLayout(this.#model.buffers);
    const flat = new Float32Array(length);
    for (const { name, shape, start } of entries) {
      const tensor = batchStatistics[name];
      if (!tensor) {
        throw new TraceError(
          `Model.forward gives no batchStatistics for the buffer "${name}"; every buffer needs them.`,
          { buffer: name },
        );
      }
      if (!sameShape(tensor.shape, shape)) {
        throw new ShapeError(`Model.forward: batchStatistics of "${name}"`, shape, tensor.shape);
      }
      flat.set(valuesOf(tensor), start);
    }
    return flat;
  }
}

const valuesOf = (tensor: Tensor): Float32Array => Float32Array.from(tensor.dataSync());

const objectivesOf = ({ embeddings, localLoss }: ForwardResult): Tensor[] => [
  ...(embeddings ? [embeddings] : []),
  ...(localLoss ? [localLoss] : []),
];

function named(tensors: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const tensor = tensors[name];
  if (!tensor) throw new TraceError(`The model declares no parameter "${name}".`);
  return tensor;
}

/** The model's parts in the order in which their gradients are complete: the same for every shard. */
function partsOf(model: Model, trained: readonly Tensor[], { nodes }: Tape): TapePart[] {
  const earliest = new Map<number, number>();
  for (const [index, { inputs }] of [...nodes.entries()].reverse()) {
    for (const { id } of Object.values(inputs)) earliest.set(id, index);
  }
  const slots = tensorLayout(model.parameters).entries.map(({ start, end }, i) => ({
    id: trained[i]?.id ?? -1,
    start,
    end,
  }));
  const parts = [...partRanges(model.parameters).values()].map((range): TapePart => {
    const own = slots.filter(({ start, end }) => start >= range.start && end <= range.end);
    const until = Math.min(...own.map(({ id }) => earliest.get(id) ?? Number.POSITIVE_INFINITY));
    return { range, slots: own, until };
  });
  return parts.sort((a, b) => (a.until === b.until ? 0 : b.until - a.until)); // sort is stable
}

function checkCotangent({ embeddings }: Pending, { dz }: Cotangent): void {
  if (!embeddings && dz) throw new TypeError("backward: dz was given, but the model has no embeddings.");
  if (!embeddings || dz?.length === sizeOf(embeddings.shape)) return;
  throw new TypeError(
    `backward: dz is [${embeddings.shape}] (${sizeOf(embeddings.shape)} elements), received ${dz?.length ?? "none"}.`,
  );
}

/** The objective's gradient in what the forward gave, by tensor id. */
function seedsOf({ embeddings, localLoss }: Pending, { dz, localWeight }: Cotangent): Map<number, Tensor> {
  const seeds = new Map<number, Tensor>();
  if (embeddings && dz) seeds.set(embeddings.id, tf.tensor(dz.slice(), embeddings.shape));
  if (localLoss) seeds.set(localLoss.id, tf.tensor(Float32Array.of(localWeight), localLoss.shape));
  return seeds;
}

/** Zeros where there is none. */
function writeGradient(tensor: Tensor | undefined, gradient: Float32Array, { start, end }: Range): void {
  if (tensor) gradient.set(tensor.dataSync(), start);
  else gradient.fill(0, start, end);
  tensor?.dispose();
}
