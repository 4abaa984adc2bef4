import type { Logger, Model, Replica } from "@gmc/core";
import { CancelledError, initialTrainState } from "@gmc/core";
import { memoryBatches } from "@gmc/data";
import type { EngineConfig } from "@gmc/engine";
import { openReplica } from "@gmc/engine";
import { classifierModel } from "@gmc/models";
import { TrainingConfig, train } from "@gmc/trainer";
import type { EvaluationConfig } from "./config.ts";
import type { EvaluationProgress } from "./encode-split.ts";

export interface ClassifierOptions {
  /** [N, dim] codes to learn from. */
  readonly codes: Float32Array;
  readonly dim: number;
  /** [N] class indices. */
  readonly labels: Int32Array;
  readonly classes: number;
  readonly config: EvaluationConfig["classifier"];
  /** First weights and order of codes. */
  readonly seed: number;
  readonly engine: EngineConfig;
  /** Codes classified at a time. */
  readonly rows: number;
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}

/** A trained classifier of codes. */
export interface Classifier {
  /** [N] class of each of the codes [N, dim]; of equal scores the first. */
  predict(codes: Float32Array): Promise<Int32Array>;
  /** Mean cross entropy of the last epoch, in nats. */
  readonly finalLoss: number | null;
  close(): Promise<void>;
}

/**
 * Trains a classifier on codes of a frozen model: dense layers with ReLU, Adam at a constant rate, last epoch's weights.
 * Close it to free its compiled graphs.
 *
 * @throws {CancelledError} when `signal` fires
 */
export async function trainClassifier(options: ClassifierOptions): Promise<Classifier> {
  const { dim, classes, config, engine, rows, logger } = options;
  const model = classifierModel({ inputDim: dim, widths: config.widths, classes });
  const replica = await openReplica(model, engine, logger);
  try {
    const finalLoss = await fit(model, replica, options);
    return {
      finalLoss,
      predict: (wanted) => predict(model, replica, wanted, { dim, classes, rows }),
      close: () => replica.close(),
    };
  } catch (error) {
    await replica.close();
    throw error;
  }
}

/** Fraction of equal entries of two lists of classes. */
export function accuracyOf(predicted: Int32Array, labels: Int32Array): number {
  let correct = 0;
  for (let i = 0; i < labels.length; i++) if (predicted[i] === labels[i]) correct++;
  return correct / labels.length;
}

async function fit(model: Model, replica: Replica, options: ClassifierOptions): Promise<number | null> {
  const { codes, labels, config, seed, signal, logger, onProgress } = options;
  const samples = labels.length;
  const batchSize = Math.min(config.batchSize, samples);
  const keep = config.lastBatch === "keep" && samples % batchSize >= 2;
  const training = TrainingConfig.parse({
    batchSize,
    epochs: config.epochs,
    optimizer: { learningRate: config.learningRate },
    lastBatch: keep ? "keep" : "drop",
    metrics: { everySteps: 0 },
  });
  const source = memoryBatches({
    samples,
    values: { code: codes },
    labels,
    inputs: model.inputs(batchSize, "train"),
    batchSize,
    shards: 1,
    seed,
    lastBatch: training.lastBatch,
  });
  const { status, finalLoss } = await train({
    model,
    replica,
    source,
    config: training,
    seed,
    state: initialTrainState(model, seed),
    onEpoch: ({ epoch }) => onProgress?.({ label: "Training the classifier", done: epoch, total: config.epochs }),
    ...(signal && { signal }),
    ...(logger && { logger }),
  });
  if (status === "stopped") throw new CancelledError("Training the classifier was stopped.");
  return finalLoss;
}

async function predict(
  model: Model,
  replica: Replica,
  codes: Float32Array,
  { dim, classes, rows }: Pick<ClassifierOptions, "dim" | "classes" | "rows">,
): Promise<Int32Array> {
  const encoder = await replica.encoder(rows, model.modalities);
  const predicted = new Int32Array(codes.length / dim);
  const batch = new Float32Array(rows * dim);
  for (let start = 0; start < predicted.length; start += rows) {
    const count = Math.min(rows, predicted.length - start);
    batch.fill(0).set(codes.subarray(start * dim, (start + count) * dim));
    const { outputs } = await encoder.encode({ code: batch });
    const logits = outputs.logits ?? new Float32Array(0); // [rows, classes]
    for (let i = 0; i < count; i++) predicted[start + i] = largest(logits, i * classes, classes);
  }
  return predicted;
}

/** Index within the range of its largest value, the first of several. */
function largest(values: Float32Array, start: number, length: number): number {
  let best = 0;
  for (let i = 1; i < length; i++) if ((values[start + i] ?? 0) > (values[start + best] ?? 0)) best = i;
  return best;
}
