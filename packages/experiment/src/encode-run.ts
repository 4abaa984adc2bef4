import { extname } from "node:path";
import type { Logger } from "@gmc/core";
import { NonFiniteError, UsageError } from "@gmc/core";
import { evaluationBatches } from "@gmc/data";
import { createNpy, writeSafetensors } from "@gmc/storage";
import type { LongCall } from "./run-progress.ts";
import type { Trained, TrainedOptions } from "./trained.ts";
import { openTrained } from "./trained.ts";

export interface EncodeRunOptions extends TrainedOptions, LongCall {
  /** Default: the config's test split. */
  readonly split?: string;
  /** Which modalities are present; default: all the model knows, through the joint encoder. */
  readonly modalities?: readonly string[];
  /** Where the codes go: `.npy`, or `.safetensors` with the labels; absent: they are returned. */
  readonly out?: string;
  readonly logger?: Logger;
}

/** What an encoding gives. */
export interface EncodedSplit {
  readonly split: string;
  /** In the model's order. */
  readonly modalities: readonly string[];
  readonly samples: number;
  /** Numbers a code, d. */
  readonly dim: number;
  readonly out?: string;
  /** [samples, dim], where no file was asked for. */
  readonly codes?: Float32Array;
}

/**
 * The codes of a split, in its order, from all modalities or from some. An npy file is written as codes come, so its size
 * does not matter; it appears when it is complete.
 *
 * @throws {UsageError} for an unknown modality or file type
 * @throws {DataError} when the data lacks the split or a modality
 */
export async function encodeRun(options: EncodeRunOptions): Promise<EncodedSplit> {
  const kind = options.out === undefined ? "memory" : extname(options.out);
  if (kind !== "memory" && kind !== ".npy" && kind !== ".safetensors") {
    throw new UsageError(`--out ${options.out}: expected a file that ends in .npy or .safetensors.`, {
      out: options.out,
    });
  }
  const trained = await openTrained(options);
  try {
    const plan = planEncoding(trained, options);
    const facts = { split: plan.split, modalities: plan.present, samples: plan.samples };
    if (options.out === undefined) return { ...facts, ...(await collect(plan)) };
    if (kind === ".npy") return { ...facts, dim: await writeNpy(plan, options.out), out: options.out };
    const { codes, dim } = await collect(plan);
    const split = trained.dataset.split(plan.split);
    const labels = split.hasLabels ? [{ name: "labels", shape: [plan.samples], data: await split.readLabels() }] : [];
    const metadata = { run: options.run, split: plan.split, modalities: plan.present.join(",") };
    await writeSafetensors(
      options.out,
      [{ name: "codes", shape: [plan.samples, dim], data: codes }, ...labels],
      metadata,
    );
    return { ...facts, dim, out: options.out };
  } finally {
    await trained.close();
  }
}

/** What is encoded, and the blocks of codes as they come: [count, d] each. */
interface EncodingPlan {
  readonly split: string;
  readonly present: readonly string[];
  readonly samples: number;
  blocks(): AsyncGenerator<{ readonly codes: Float32Array; readonly count: number }>;
}

function planEncoding({ run, dataset, model, replica }: Trained, options: EncodeRunOptions): EncodingPlan {
  const split = options.split ?? run.config.data.testSplit;
  const present = presentModalities(model.modalities, options.modalities);
  const { samples } = dataset.split(split);
  const { rows } = run.config.evaluation;
  return {
    split,
    present,
    samples,
    async *blocks() {
      const encoder = await replica.encoder(rows, present);
      const inputs = model.inputs(rows, present);
      for await (const batch of evaluationBatches(dataset, split, inputs, rows, options.signal)) {
        const { code } = await encoder.encode(batch.inputs);
        const { count, start } = batch;
        const codes = code.slice(0, (code.length / rows) * count);
        if (!codes.every(Number.isFinite)) throw nonFinite(split, start, start + count);
        yield { codes, count };
        options.onProgress?.({ phase: "task", label: "Encoding", done: start + count, total: samples });
      }
    },
  };
}

const nonFinite = (split: string, start: number, end: number): NonFiniteError =>
  new NonFiniteError(
    `Among samples ${start} to ${end - 1} of ${split} a code is NaN or infinite; the model has diverged, or a sample is broken.`,
    { split, start, end },
  );

/** The wanted modalities in the model's order. @throws {UsageError} naming those the model knows */
function presentModalities(known: readonly string[], wanted: readonly string[] = known): readonly string[] {
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined || wanted.length === 0) {
    const received = unknown === undefined ? "none" : `"${unknown}"`;
    throw new UsageError(`Modalities: the model knows ${known.join(", ")}; received ${received}.`, { known, wanted });
  }
  return known.filter((name) => wanted.includes(name));
}

async function collect(plan: EncodingPlan): Promise<{ codes: Float32Array; dim: number }> {
  let codes = new Float32Array(0);
  let filled = 0;
  for await (const block of plan.blocks()) {
    if (filled === 0) codes = new Float32Array(plan.samples * (block.codes.length / block.count));
    codes.set(block.codes, filled);
    filled += block.codes.length;
  }
  return { codes, dim: codes.length / plan.samples };
}

async function writeNpy(plan: EncodingPlan, out: string): Promise<number> {
  const blocks = plan.blocks();
  const first = await blocks.next();
  if (first.done) throw new UsageError(`Split "${plan.split}" has no samples to encode.`, { split: plan.split });
  const dim = first.value.codes.length / first.value.count;
  const writer = await createNpy(out, "float32", [dim]);
  try {
    await writer.append(first.value.codes);
    for await (const { codes } of blocks) await writer.append(codes);
    await writer.finish();
  } finally {
    await writer.close();
  }
  return dim;
}
