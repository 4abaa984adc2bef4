import type { Cotangent, Inputs, Model, Range, ShardForward } from "@gmc/core";
import { sizeOf, tensorLayout } from "@gmc/core";
import { allocateInputs, copyInputs } from "./input-blocks.ts";
import type { TrainingProgram } from "./model-graph.ts";
import { allocateBlock } from "./runners/blocks.ts";
import type { Binding, Block, Pipeline, Place, Runner, Session } from "./runners/runner.ts";
import { flatBlocks } from "./state-blocks.ts";
import { isGradient, tensorNames } from "./tensor-names.ts";
import type { PieceProgram } from "./training-cut.ts";

/** Gradient arrays whose bindings a shard keeps; a training loop alternates between a few. */
const BOUND_GRADIENTS = 16;

/** A training step's programs, ready to run: as in `TrainingProgram`, in the same order. */
export interface TrainingSessions {
  readonly forward: readonly Session[];
  readonly backward: readonly Session[];
  readonly runner: Pick<Runner, "pipeline">;
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
  readonly #sessions: TrainingSessions;
  readonly #forward: Half;
  readonly #gradients = new Map<Float32Array, Half>();
  readonly #results: ShardForward;
  readonly #localLoss: Block | undefined;
  #ready = false;
  #running = false;

  constructor(model: Model, program: TrainingProgram, state: ReadonlyMap<string, Place>, sessions: TrainingSessions) {
    this.#model = model;
    this.#program = program;
    this.#sessions = sessions;
    const statistics = new Float32Array(tensorLayout(model.buffers).length);
    this.#blocks = new Map([
      ...allocateInputs(program.inputs),
      ...flatBlocks(model.buffers, statistics, tensorNames.statistics),
    ]);
    const activations = new Map<string, Place>();
    const pieces = [...program.forward, ...program.backward];
    for (const [i, session] of [...sessions.forward, ...sessions.backward].entries()) {
      for (const output of pieces[i]?.program.outputs ?? []) {
        if (RESULTS.has(output.name)) this.#blocks.set(output.name, allocateBlock(output));
        else if (!isGradient(output.name) && !this.#blocks.has(output.name)) {
          activations.set(output.name, session.place(output));
        }
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
    this.#forward = new Half(sessions.runner, sessions.forward, program.forward, this.#places);
  }

  async forward(inputs: Inputs): Promise<ShardForward> {
    this.#begin("forward");
    try {
      this.#ready = false;
      copyInputs(this.#program.inputs, inputs, this.#blocks);
      await this.#forward.pipeline.run();
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
  async backward(cotangent: Cotangent, gradient: Float32Array, onPart?: (part: Range) => Promise<void>): Promise<void> {
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
      const { idleParts, backward } = this.#program;
      const taken: Promise<void>[] = [];
      const give = (part: Range) => {
        if (!onPart) return;
        taken.push(onPart(part));
        taken.at(-1)?.catch(() => {}); // thrown below; until then nobody waits for it
      };
      try {
        idleParts.forEach(give);
        const { pipeline } = this.#backwardInto(gradient);
        await pipeline.run(onPart && ((number) => backward[number]?.ranges.forEach(give)));
      } finally {
        await Promise.allSettled(taken);
      }
      await Promise.all(taken);
    } finally {
      this.#running = false;
    }
  }

  release(): void {
    for (const half of [this.#forward, ...this.#gradients.values()]) half.release();
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

  #backwardInto(gradient: Float32Array): Half {
    const known = this.#gradients.get(gradient);
    if (known) return known;
    const blocks = new Map<string, Place>([
      ...this.#places,
      ...flatBlocks(this.#model.parameters, gradient, tensorNames.gradient),
    ]);
    const half = new Half(this.#sessions.runner, this.#sessions.backward, this.#program.backward, blocks);
    this.#gradients.set(gradient, half);
    const [[oldest, unused] = []] = this.#gradients;
    if (this.#gradients.size > BOUND_GRADIENTS && oldest && unused) {
      unused.release();
      this.#gradients.delete(oldest);
    }
    return half;
  }
}

/** A half's programs on one set of arrays. */
class Half {
  readonly pipeline: Pipeline;
  readonly #bindings: readonly Binding[];

  constructor(
    runner: Pick<Runner, "pipeline">,
    sessions: readonly Session[],
    pieces: readonly PieceProgram[],
    places: ReadonlyMap<string, Place>,
  ) {
    const tasks = sessions.map((session, i) => {
      const { after = [], program } = pieces[i] ?? {};
      return { binding: session.bind(places), after, work: program?.work ?? 0 };
    });
    this.#bindings = tasks.map(({ binding }) => binding);
    this.pipeline = runner.pipeline(tasks);
  }

  release(): void {
    this.pipeline.release();
    for (const binding of this.#bindings) binding.release();
  }
}
