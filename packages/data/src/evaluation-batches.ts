import { CancelledError, type InputSpec, type Inputs } from "@gmc/core";
import type { Dataset } from "./dataset.ts";
import { storedInputs } from "./split-layout.ts";

/** A fixed number of rows, of which the first `count` are samples; the rest repeat the last one. */
export interface EvaluationBatch {
  /** [rows, …] by input name. */
  readonly inputs: Inputs;
  readonly count: number;
  /** Number of the first sample, in the split or in the subset. */
  readonly start: number;
}

/**
 * All samples in file order, in fixed batches that are padded at the end, so that what is computed of a sample does
 * not depend on how many were asked for. The next batch is read while one is worked on.
 *
 * @param rows    rows of every batch
 * @param subset  only these samples, in this order
 * @throws {DataError | ShapeError} when the data set does not have what the inputs need
 * @throws {CancelledError} from the iteration when the signal fires
 */
export async function* evaluationBatches(
  dataset: Dataset,
  split: string,
  inputs: readonly InputSpec[],
  rows: number,
  signal?: AbortSignal,
  subset?: Uint32Array,
): AsyncGenerator<EvaluationBatch, void, void> {
  const source = dataset.split(split);
  const stored = storedInputs(source.layout, inputs);
  const samples = subset?.length ?? source.samples;
  const read = (start: number): Promise<Inputs> => {
    const indices = Uint32Array.from({ length: rows }, (_, i) => Math.min(start + i, samples - 1));
    const wanted = source.readStored(stored, subset ? indices.map((i) => subset[i] ?? 0) : indices);
    wanted.catch(() => {}); // thrown where it is awaited; the one read ahead may never be
    return wanted;
  };
  let ahead = samples > 0 ? read(0) : undefined;
  for (let start = 0; start < samples && ahead; start += rows) {
    const values = await ahead;
    ahead = start + rows < samples ? read(start + rows) : undefined;
    if (signal?.aborted) throw new CancelledError("Reading batches was cancelled.");
    yield { inputs: values, count: Math.min(rows, samples - start), start };
  }
}
