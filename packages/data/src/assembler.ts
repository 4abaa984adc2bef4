import { closeSync, openSync, readSync } from "node:fs";
import { DataError } from "@gmc/core";
import { type ReadAt, RowReader } from "./row-file.ts";
import type { BatchPlan } from "./sampler.ts";
import { StepSampler } from "./sampler.ts";
import { inputValues, type StoredInput } from "./split-layout.ts";

/** Everything needed to put any step's batch together. Plain data: it crosses threads. */
export interface AssemblyPlan {
  readonly batches: BatchPlan;
  /** Samples to draw from; absent: all of the split. */
  readonly subset?: Uint32Array;
  readonly inputs: readonly StoredInput[];
}

/** A batch, or the part of one that a worker owns, before it is cut into shards. */
export interface AssembledBatch {
  readonly step: number;
  readonly epoch: number;
  /** [rows, …] by input, each in an ArrayBuffer of its own, which can be transferred. */
  readonly values: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
}

/** Puts batches together with blocking reads: for a thread of its own. A batch is a pure function of (plan, step). */
export class Assembler {
  readonly #inputs: readonly { readonly input: StoredInput; readonly reader: RowReader }[];
  readonly #sampler: StepSampler;
  readonly #descriptors: number[] = [];

  /** Opens the files; `close` closes them. */
  constructor({ batches, subset, inputs }: AssemblyPlan) {
    this.#sampler = new StepSampler(batches, subset);
    this.#inputs = inputs.map((input) => ({ input, reader: new RowReader(input.file, this.#open(input.file.path)) }));
  }

  /** The batch of global step `step`. One call at a time. */
  async assemble(step: number): Promise<AssembledBatch> {
    const { epoch, rows } = this.#sampler.at(step);
    const values: Record<string, Float32Array<ArrayBuffer>> = {};
    for (const { input, reader } of this.#inputs) {
      const stored = new Float32Array(rows.length * input.file.width);
      await reader.read(rows, stored);
      values[input.name] = inputValues(input, stored);
    }
    return { step, epoch, values };
  }

  close(): void {
    for (const descriptor of this.#descriptors.splice(0)) closeSync(descriptor);
  }

  #open(path: string): ReadAt {
    const descriptor = openSync(path, "r");
    this.#descriptors.push(descriptor);
    return (target, position) => {
      let done = 0;
      while (done < target.byteLength) {
        const bytes = readSync(descriptor, target, done, target.byteLength - done, position + done);
        if (bytes === 0) throw new DataError(`${path} ended while it was read; was it replaced?`, { path });
        done += bytes;
      }
    };
  }
}
