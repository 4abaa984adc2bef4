import { CancelledError, type InputSpec, type Inputs, ShapeError, sizeOf } from "@gmc/core";
import { type BatchSource, cutShards, type GlobalBatch } from "./batch-source.ts";
import { type BatchOptions, planBatches, StepSampler } from "./sampler.ts";
import { oneHot } from "./split-layout.ts";
import { prepareSubset } from "./subset.ts";

export interface MemoryBatchesOptions extends BatchOptions {
  /** N */
  readonly samples: number;
  /** [N, …] by input name. */
  readonly values: Inputs;
  /** [N] class indices, for inputs that are targets. */
  readonly labels?: Int32Array;
  readonly inputs: readonly InputSpec[];
  /** Samples to draw from; absent: all. */
  readonly subset?: Uint32Array;
}

/** One input and where its rows come from. */
interface MemoryInput {
  readonly name: string;
  readonly width: number;
  readonly gather: (rows: Uint32Array) => Float32Array;
}

/**
 * Batches of arrays in memory, in the same order as `trainBatches` would give them from files.
 *
 * @throws {ConfigError} when batch size, shards, last batch and samples do not fit
 * @throws {ShapeError}  when an array is not [N, …] of what the model expects
 * @throws {RangeError}  when an input has neither values nor labels
 */
export function memoryBatches(options: MemoryBatchesOptions): BatchSource & { close(): Promise<void> } {
  const subset = options.subset && prepareSubset(options.subset, options.samples);
  const plan = planBatches(subset?.length ?? options.samples, options);
  const inputs = options.inputs.flatMap((input) => memoryInput(input, options) ?? []);
  const closed = new AbortController();

  async function* batches(fromStep: number, signal?: AbortSignal): AsyncGenerator<GlobalBatch, void, void> {
    const sampler = new StepSampler(plan, subset);
    for (let step = fromStep; ; step++) {
      if (signal?.aborted || closed.signal.aborted) throw new CancelledError("Reading batches was cancelled.");
      const { epoch, rows } = sampler.at(step);
      const values = Object.fromEntries(inputs.map(({ name, gather }) => [name, gather(rows)]));
      yield { step, epoch, shards: cutShards(values, plan.own?.length ?? plan.shards), total: plan.shards };
    }
  }

  return { samples: plan.samples, stepsPerEpoch: plan.stepsPerEpoch, batches, close: async () => closed.abort() };
}

function memoryInput(
  { name, shape, source }: InputSpec,
  { values, labels, samples }: MemoryBatchesOptions,
): MemoryInput | undefined {
  if (source.kind === "mask" || source.kind === "noise") return undefined;
  const width = sizeOf(shape.slice(1));
  const whole = values[name];
  if (whole) {
    if (whole.length !== samples * width) {
      throw new ShapeError(`Values of input "${name}"`, [samples, ...shape.slice(1)], [whole.length]);
    }
    return { name, width, gather: (rows) => gatherRows(whole, width, rows) };
  }
  if (source.kind !== "target" || !labels) throw new RangeError(`memoryBatches: input "${name}" has no values`);
  return { name, width, gather: (rows) => gatherOneHot(labels, width, rows) };
}

function gatherRows(whole: Float32Array, width: number, rows: Uint32Array): Float32Array {
  const out = new Float32Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const start = (rows[i] ?? 0) * width;
    out.set(whole.subarray(start, start + width), i * width);
  }
  return out;
}

const gatherOneHot = (labels: Int32Array, width: number, rows: Uint32Array): Float32Array =>
  oneHot(
    Int32Array.from(rows, (row) => labels[row] ?? 0),
    width,
  );
