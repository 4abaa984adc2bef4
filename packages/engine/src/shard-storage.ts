import type { Cotangent, Inputs, Model, ShardForward } from "@gmc/core";
import { sizeOf, tensorLayout } from "@gmc/core";
import { allocateInputs, copyInputs } from "./input-blocks.ts";
import type { TrainingProgram } from "./model-graph.ts";
import { tensorNames } from "./model-graph.ts";
import { allocateBlock } from "./runners/blocks.ts";
import type { Binding, Block, Place, Session } from "./runners/runner.ts";
import { flatBlocks } from "./state-blocks.ts";

/** Gradient arrays whose bindings a shard keeps; a training loop alternates between a few. */
const BOUND_GRADIENTS = 16;

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
  readonly #backward: Session | undefined;
  readonly #gradients = new Map<Float32Array, Binding>();
  readonly #results: ShardForward;
  readonly #localLoss: Block | undefined;
  #ready = false;
  #running = false;

  constructor(
    model: Model,
    program: TrainingProgram,
    state: ReadonlyMap<string, Place>,
    forward: Session,
    backward: Session | undefined,
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

  /** Uses up the activations: the next backward needs another forward. */
  async backward(cotangent: Cotangent, gradient: Float32Array): Promise<void> {
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
      await this.#bindingFor(gradient)?.run();
    } finally {
      this.#running = false;
    }
  }

  release(): void {
    this.#forward.release();
    for (const binding of this.#gradients.values()) binding.release();
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

  #bindingFor(gradient: Float32Array): Binding | undefined {
    const known = this.#gradients.get(gradient);
    if (known || !this.#backward) return known;
    const blocks = new Map<string, Place>([
      ...this.#places,
      ...flatBlocks(this.#model.parameters, gradient, tensorNames.gradient),
    ]);
    const binding = this.#backward.bind(blocks);
    this.#gradients.set(gradient, binding);
    const [[oldest, unused] = []] = this.#gradients;
    if (this.#gradients.size > BOUND_GRADIENTS && oldest && unused) {
      unused.release();
      this.#gradients.delete(oldest);
    }
    return binding;
  }
}
