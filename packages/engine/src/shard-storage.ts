import type { Cotangent, Inputs, Model, Range, ShardForward } from "@gmc/core";
import { sizeOf, tensorLayout } from "@gmc/core";
import { allocateInputs, copyInputs } from "./input-blocks.ts";
import type { TrainingProgram } from "./model-graph.ts";
import { allocateBlock } from "./runners/blocks.ts";
import type { Binding, Block, Place, Session } from "./runners/runner.ts";
import { flatBlocks } from "./state-blocks.ts";
import { isGradient, tensorNames } from "./tensor-names.ts";

/** Gradient arrays whose bindings a shard keeps; a training loop alternates between a few. */
const BOUND_GRADIENTS = 16;

/** The backward of a part, ready to run; without a session where the part gets no gradient. */
export interface PartSession {
  readonly range: Range;
  readonly session: Session | undefined;
}

interface BoundPart {
  readonly range: Range;
  readonly binding: Binding | undefined;
}

/** What a forward gives to its caller, beside the statistics. */
const RESULTS: ReadonlySet<string> = new Set([tensorNames.embeddings, tensorNames.localLoss]);

/**
 * What one shard keeps between its forward and its backward: its inputs, what the forward gave, the saved activations. All
 * shards' forwards come before all backwards, so every shard has its own.
 */
export class ShardStorage {
  readonly #model: Model;
  readonly #program: TrainingProgram;
  /** What the caller gives and gets. */
  readonly #blocks: Map<string, Block>;
  /** All tensors of both programs but the gradients. */
  readonly #places: ReadonlyMap<string, Place>;
  readonly #forward: Binding;
  readonly #backward: readonly PartSession[];
  readonly #gradients = new Map<Float32Array, readonly BoundPart[]>();
  readonly #results: ShardForward;
  readonly #localLoss: Block | undefined;
  #ready = false;
  #running = false;

  constructor(
    model: Model,
    program: TrainingProgram,
    state: ReadonlyMap<string, Place>,
    forward: Session,
    backward: readonly PartSession[],
  ) {
    this.#model = model;
    this.#program = program;
    this.#backward = backward;
    const statistics = new Float32Array(tensorLayout(model.buffers).length);
    this.#blocks = new Map([
      ...allocateInputs(program.inputs),
      ...flatBlocks(model.buffers, statistics, tensorNames.statistics),
    ]);
    const activations = new Map<string, Place>();
    for (const output of program.forward.outputs) {
      if (RESULTS.has(output.name)) this.#blocks.set(output.name, allocateBlock(output));
      else if (!this.#blocks.has(output.name)) activations.set(output.name, forward.place(output));
    }
    for (const [i, { program: part }] of program.backward.entries()) {
      for (const output of part?.outputs ?? []) {
        const place = isGradient(output.name) ? undefined : backward[i]?.session?.place(output);
        if (place) activations.set(output.name, place);
      }
    }
    if (program.embeddingsShape) this.#blocks.set(tensorNames.dz, new Float32Array(sizeOf(program.embeddingsShape)));
    this.#blocks.set(tensorNames.localWeight, new Float32Array(1));
    const embeddings = this.#blocks.get(tensorNames.embeddings);
    this.#localLoss = this.#blocks.get(tensorNames.localLoss);
    this.#results = {
      ...(embeddings instanceof Float32Array ? { embeddings } : {}),
      ...(program.hasStatistics ? { batchStatistics: statistics } : {}),
    };
    this.#places = new Map<string, Place>([...state, ...activations, ...this.#blocks]);
    this.#forward = forward.bind(this.#places);
  }

  async forward(inputs: Inputs): Promise<ShardForward> {
    this.#begin("forward");
    try {
      this.#ready = false;
      copyInputs(this.#program.inputs, inputs, this.#blocks);
      await this.#forward.run();
      this.#ready = true;
    } finally {
      this.#running = false;
    }
    return this.#localLoss ? { ...this.#results, localLoss: this.#localLoss[0] ?? Number.NaN } : this.#results;
  }

  /**
   * Uses up the activations: the next backward needs another forward. Computes part after part, and settles when `onPart` has settled
   * for all of them.
   */
  async backward(
    cotangent: Cotangent,
    gradient: Float32Array,
    onPart: (part: Range) => Promise<void> = async () => {},
  ): Promise<void> {
    this.#begin("backward");
    try {
      if (!this.#ready) {
        throw new TypeError(
          "backward: this shard has no forward waiting for its backward; call forward first, then backward once.",
        );
      }
      this.#setCotangent(cotangent);
      for (const { start, end } of this.#program.zeroGradient) gradient.fill(0, start, end);
      this.#ready = false;
      const sent: Promise<void>[] = [];
      try {
        for (const { range, binding } of this.#bindingsFor(gradient)) {
          await binding?.run();
          const taken = onPart(range);
          taken.catch(() => {}); // thrown below; until then nobody waits for it
          sent.push(taken);
        }
      } finally {
        await Promise.allSettled(sent);
      }
      await Promise.all(sent);
    } finally {
      this.#running = false;
    }
  }

  release(): void {
    this.#forward.release();
    for (const bindings of this.#gradients.values()) releaseAll(bindings);
    this.#gradients.clear();
  }

  /** Other shards may run meanwhile; this one's arrays are in use. */
  #begin(what: string): void {
    if (this.#running) throw new TypeError(`${what}: this shard is still running; wait for it.`);
    this.#running = true;
  }

  #setCotangent({ dz, localWeight }: Cotangent): void {
    const block = this.#blocks.get(tensorNames.dz);
    if (block && dz?.length !== block.length) {
      throw new TypeError(
        `backward: dz is [${this.#program.embeddingsShape}] (${block.length} elements), received ${dz?.length ?? "none"}.`,
      );
    }
    if (!block && dz) throw new TypeError("backward: dz was given, but the model has no embeddings.");
    if (block && dz) block.set(dz);
    this.#blocks.get(tensorNames.localWeight)?.fill(localWeight);
  }

  #bindingsFor(gradient: Float32Array): readonly BoundPart[] {
    const known = this.#gradients.get(gradient);
    if (known) return known;
    const blocks = new Map<string, Place>([
      ...this.#places,
      ...flatBlocks(this.#model.parameters, gradient, tensorNames.gradient),
    ]);
    const bindings = this.#backward.map(({ range, session }) => ({ range, binding: session?.bind(blocks) }));
    this.#gradients.set(gradient, bindings);
    const [[oldest, unused] = []] = this.#gradients;
    if (this.#gradients.size > BOUND_GRADIENTS && oldest && unused) {
      releaseAll(unused);
      this.#gradients.delete(oldest);
    }
    return bindings;
  }
}

const releaseAll = (bindings: readonly BoundPart[]): void => {
  for (const { binding } of bindings) binding?.release();
};
