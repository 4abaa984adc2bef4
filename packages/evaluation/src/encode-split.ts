import type { Model, Present, Replica } from "@gmc/core";
import { NonFiniteError } from "@gmc/core";
import type { Dataset } from "@gmc/data";
import { evaluationBatches } from "@gmc/data";

/** How far a long call is. */
export interface EvaluationProgress {
  /** What is being done, for people: "Encoding test from image". */
  readonly label: string;
  readonly done: number;
  readonly total: number;
}

export interface EncodeSplitOptions {
  readonly model: Model;
  /** Holds the trained state. */
  readonly replica: Replica;
  readonly dataset: Dataset;
  readonly split: string;
  /** Modalities to encode from; the others count as missing. */
  readonly present: Present;
  /** Samples encoded at a time. The codes do not depend on how many are asked for, as long as this is the same. */
  readonly rows: number;
  /** Only these samples, in this order; absent: all in file order. */
  readonly subset?: Uint32Array;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}

/** Codes of a split's samples. */
export interface EncodedSplit {
  /** [N, dim] */
  readonly codes: Float32Array;
  readonly dim: number;
  readonly samples: number;
  /** [N] class indices; absent where the data has none. */
  readonly labels?: Int32Array;
}

/**
 * Codes of a split from the present modalities, in fixed batches padded at the end.
 *
 * @throws {DataError} when the data lacks the split or a modality
 * @throws {NonFiniteError} when a code is NaN or infinite: the model has diverged
 * @throws {CancelledError} when `signal` fires
 */
export async function encodeSplit(options: EncodeSplitOptions): Promise<EncodedSplit> {
  const { model, replica, dataset, split, present, rows, subset, signal, onProgress } = options;
  const source = dataset.split(split);
  const samples = subset?.length ?? source.samples;
  const encoder = await replica.encoder(rows, present);
  const inputs = model.inputs(rows, present);
  const label = `Encoding ${split} from ${present.length === model.modalities.length ? "everything" : present.join("+")}`;
  let codes = new Float32Array(0);
  let dim = 0;
  for await (const batch of evaluationBatches(dataset, split, inputs, rows, signal, subset)) {
    const { code } = await encoder.encode(batch.inputs);
    dim = code.length / rows;
    if (batch.start === 0) codes = new Float32Array(samples * dim);
    codes.set(code.subarray(0, batch.count * dim), batch.start * dim);
    onProgress?.({ label, done: batch.start + batch.count, total: samples });
  }
  refuseNonFinite(codes, dim, `${label}: the code of sample`);
  const labels = source.hasLabels ? await source.readLabels(subset) : undefined;
  return { codes, dim, samples, ...(labels && { labels }) };
}

function refuseNonFinite(codes: Float32Array, dim: number, where: string): void {
  const index = codes.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return;
  const sample = Math.floor(index / dim);
  throw new NonFiniteError(
    `${where} ${sample} holds ${codes[index]}; the model has diverged, or the sample is broken.`,
    {
      sample,
    },
  );
}
