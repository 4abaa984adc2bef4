import type { Cotangent, Inputs, Model, Range, ShardForward } from "@gmc/core";
import { sizeOf, tensorLayout } from "@gmc/core";
import { allocateInputs, copyInputs } from "./input-blocks.ts";
import type { TrainingProgram } from "./model-graph.ts";
import type { Task } from "./run-tasks.ts";
import { runTasks } from "./run-tasks.ts";
import { allocateBlock } from "./runners/blocks.ts";
import type { Binding, Block, Place, Session } from "./runners/runner.ts";
import { flatBlocks } from "./state-blocks.ts";
import { isGradient, tensorNames } from "./tensor-names.ts";
import type { PieceProgram } from "./training-cut.ts";

/** Gradient arrays whose bindings a shard keeps; a training loop alternates between a few. */
const BOUND_GRADIENTS = 16;

/** A training step's programs, ready to run: as in `TrainingProgram`, in the same order. */
export interface TrainingSessions {
  readonly forward: readonly Session[];
  readonly backward: readonly Session[];
  /** Programs of one shard that run at the same time. */
  readonly atOnce: number;
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
  readonly #forward: readonly Binding[];
  readonly #gradients = new Map<Float32Array, readonly Binding[]>();
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
    this.#forward = sessions.forward.map((session) => session.bind(this.#places));
  }

  async forward(inputs: Inputs): Promise<ShardForward> {
    this.#begin("forward");
    try {
      this.#ready = false;
      copyInputs(this.#program.inputs, inputs, this.#blocks);
      await runTasks(tasksOf(this.#program.forward, this.#forward), this.#sessions.atOnce);
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
      const taken: Promise<void>[] = [];
      const give = (part: Range) => {
        taken.push(onPart(part));
        taken.at(-1)?.catch(() => {}); // thrown below; until then nobody waits for it
      };
      try {
        this.#program.idleParts.forEach(give);
        const tasks = tasksOf(this.#program.backward, this.#bindingsFor(gradient));
        await runTasks(tasks, this.#sessions.atOnce, (number) => {
          this.#program.backward[number]?.ranges.forEach(give);
        });
      } finally {
        await Promise.allSettled(taken);
      }
      await Promise.all(taken);
    } finally {
      this.#running = false;
    }
  }

  release(): void {
    for (const bindings of [this.#forward, ...this.#gradients.values()]) releaseAll(bindings);
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

  #bindingsFor(gradient: Float32Array): readonly Binding[] {
    const known = this.#gradients.get(gradient);
    if (known) return known;
    const blocks = new Map<string, Place>([
      ...this.#places,
      ...flatBlocks(this.#model.parameters, gradient, tensorNames.gradient),
    ]);
    const bindings = this.#sessions.backward.map((session) => session.bind(blocks));
    this.#gradients.set(gradient, bindings);
    const [[oldest, unused] = []] = this.#gradients;
    if (this.#gradients.size > BOUND_GRADIENTS && oldest && unused) {
      releaseAll(unused);
      this.#gradients.delete(oldest);
    }
    return bindings;
  }
}

const tasksOf = (pieces: readonly PieceProgram[], bindings: readonly Binding[]): Task[] =>
  bindings.map((binding, i) => ({ after: pieces[i]?.after ?? [], run: () => binding.run() }));

const releaseAll = (bindings: readonly Binding[]): void => {
  for (const binding of bindings) binding.release();
};
