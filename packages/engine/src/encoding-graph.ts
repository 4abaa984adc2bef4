import type { Encoder, Inputs, Model, Present } from "@gmc/core";
import { allocateInputs, copyInputs } from "./input-blocks.ts";
import type { EncodingProgram } from "./model-graph.ts";
import { traceEncoding } from "./model-graph.ts";
import { allocateBlock } from "./runners/blocks.ts";
import type { Binding, Block, Place, Runner, Session } from "./runners/runner.ts";
import { tensorNames } from "./tensor-names.ts";

/** A model traced and compiled for encoding a fixed number of rows from fixed modalities. */
export class EncodingGraph implements Encoder {
  readonly rows: number;
  readonly #program: EncodingProgram;
  readonly #session: Session;
  readonly #blocks: Map<string, Block>;
  readonly #binding: Binding;
  #last: Promise<unknown> = Promise.resolve();

  /** @param state  parameters and buffers, read in place at every run */
  static async open(
    model: Model,
    rows: number,
    present: Present,
    runner: Runner,
    state: ReadonlyMap<string, Place>,
  ): Promise<EncodingGraph> {
    const program = traceEncoding(model, rows, present);
    return new EncodingGraph(rows, program, await runner.open(program.program, true), state);
  }

  private constructor(rows: number, program: EncodingProgram, session: Session, state: ReadonlyMap<string, Place>) {
    this.rows = rows;
    this.#program = program;
    this.#session = session;
    this.#blocks = new Map(allocateInputs(program.inputs));
    for (const output of program.program.outputs) this.#blocks.set(output.name, allocateBlock(output));
    this.#binding = session.bind(new Map<string, Place>([...state, ...this.#blocks]));
  }

  /** Calls take turns: they share one set of arrays. */
  encode(inputs: Inputs): Promise<{ code: Float32Array; outputs: Record<string, Float32Array> }> {
    const result = this.#last.then(() => this.#encode(inputs));
    this.#last = result.catch(() => {});
    return result;
  }

  release(): Promise<void> {
    this.#binding.release();
    return this.#session.release();
  }

  async #encode(inputs: Inputs): Promise<{ code: Float32Array; outputs: Record<string, Float32Array> }> {
    copyInputs(this.#program.inputs, inputs, this.#blocks);
    await this.#binding.run();
    const outputs = this.#program.outputs.map((name) => [name, this.#copyOf(tensorNames.output(name))]);
    return { code: this.#copyOf(tensorNames.code), outputs: Object.fromEntries(outputs) };
  }

  #copyOf(name: string): Float32Array {
    return Float32Array.from(this.#blocks.get(name) ?? []);
  }
}
