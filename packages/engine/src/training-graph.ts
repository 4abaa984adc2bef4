import type { CompiledModel, Cotangent, Inputs, Model, Range, ShardForward } from "@gmc/core";
import { tensorLayout } from "@gmc/core";
import type { TrainingProgram } from "./model-graph.ts";
import { traceTraining } from "./model-graph.ts";
import { loneTasks } from "./run-tasks.ts";
import type { Place, Runner, Session } from "./runners/runner.ts";
import type { TrainingSessions } from "./shard-storage.ts";
import { ShardStorage } from "./shard-storage.ts";
import type { PieceProgram } from "./training-cut.ts";

/** A model traced and compiled for training shards of a fixed number of rows. */
export class TrainingGraph implements CompiledModel {
  readonly rows: number;
  readonly #model: Model;
  readonly #program: TrainingProgram;
  readonly #state: ReadonlyMap<string, Place>;
  readonly #sessions: TrainingSessions;
  readonly #gradientLength: number;
  readonly #shards = new Map<number, ShardStorage>();
  /** Gradients that a backward is writing. */
  readonly #written = new Set<Float32Array>();

  /** @param state  parameters and buffers, read in place at every run */
  static async open(
    model: Model,
    rows: number,
    runner: Runner,
    state: ReadonlyMap<string, Place>,
  ): Promise<TrainingGraph> {
    const parts = traceTraining(model, rows);
    const seamless = [parts.forward, parts.backward].every((half) => workOf(half) >= (runner.seamlessFrom ?? Infinity));
    // Where a run goes back to the event loop between two programs, that has no core of its own when shards have them all.
    const program = runner.runsAtOnce === 1 || seamless ? parts : traceTraining(model, rows, false);
    const forward = await openAll(runner, program.forward);
    const backward = await openAll(runner, program.backward);
    return new TrainingGraph(model, rows, program, state, { forward, backward, runner });
  }

  private constructor(
    model: Model,
    rows: number,
    program: TrainingProgram,
    state: ReadonlyMap<string, Place>,
    sessions: TrainingSessions,
  ) {
    this.rows = rows;
    this.#model = model;
    this.#program = program;
    this.#state = state;
    this.#sessions = sessions;
    this.#gradientLength = tensorLayout(model.parameters).length;
  }

  get program(): TrainingProgram {
    return this.#program;
  }

  forward(shard: number, inputs: Inputs): Promise<ShardForward> {
    let storage = this.#shards.get(shard);
    if (!storage) {
      if (!Number.isSafeInteger(shard) || shard < 0)
        throw new RangeError(`forward: shard is a number from 0, received ${shard}.`);
      storage = new ShardStorage(this.#model, this.#program, this.#state, this.#sessions);
      this.#shards.set(shard, storage);
    }
    return storage.forward(inputs);
  }

  async backward(
    shard: number,
    cotangent: Cotangent,
    gradient: Float32Array,
    onPart?: (part: Range) => Promise<void>,
  ): Promise<void> {
    const storage = this.#shards.get(shard);
    if (!storage) throw new TypeError(`backward: shard ${shard} has had no forward.`);
    if (gradient.length !== this.#gradientLength) {
      throw new TypeError(`backward: the gradient has ${this.#gradientLength} elements, received ${gradient.length}.`);
    }
    if (this.#written.has(gradient)) {
      throw new TypeError(`backward: shard ${shard} was given a gradient that another shard is still writing.`);
    }
    this.#written.add(gradient);
    try {
      await storage.backward(cotangent, gradient, onPart);
    } finally {
      this.#written.delete(gradient);
    }
  }

  async release(): Promise<void> {
    for (const storage of this.#shards.values()) storage.release();
    this.#shards.clear();
    for (const session of [...this.#sessions.forward, ...this.#sessions.backward]) await session.release();
  }
}

const workOf = (half: readonly PieceProgram[]): number => half.reduce((sum, { program }) => sum + program.work, 0);

async function openAll(runner: Runner, pieces: readonly PieceProgram[]): Promise<Session[]> {
  const lone = runner.runsAtOnce === 1 ? loneTasks(pieces) : new Set<number>();
  const sessions: Session[] = [];
  for (const [i, { program }] of pieces.entries()) sessions.push(await runner.open(program, lone.has(i)));
  return sessions;
}
