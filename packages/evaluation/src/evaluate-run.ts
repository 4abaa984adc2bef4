import type { Logger, Model, Replica } from "@gmc/core";
import { DataError, permutation, randomKey } from "@gmc/core";
import type { Dataset } from "@gmc/data";
import { EngineConfig } from "@gmc/engine";
import { accuracyOf, trainClassifier } from "./classifier.ts";
import type { EvaluationConfig } from "./config.ts";
import type { EncodedSplit, EvaluationProgress } from "./encode-split.ts";
import { encodeSplit } from "./encode-split.ts";
import type { Recall } from "./retrieval.ts";
import { matchingRanks, recallOf } from "./retrieval.ts";
import type { PresentCase } from "./subsets.ts";
import { COMPLETE, presentCases } from "./subsets.ts";

export interface EvaluateOptions {
  readonly model: Model;
  /** Holds the trained state; it is not changed. */
  readonly replica: Replica;
  readonly dataset: Dataset;
  readonly config: EvaluationConfig;
  /** The run's: first weights and order of the classifier, which samples are drawn. */
  readonly seed: number;
  /** Default "train" and "test". */
  readonly trainSplit?: string;
  readonly testSplit?: string;
  readonly engine?: EngineConfig;
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}

/** How a frozen model does on the test split with modalities missing. */
export interface EvaluationResult {
  /** Test samples. */
  readonly samples: number;
  /** Fraction of right classes by what is present: "complete", a modality, "a+b". Only where there are labels. */
  readonly accuracy?: Readonly<Record<string, number>>;
  /** Recall of the sample itself by the code that asks and the code that is looked for. Only where there are no labels. */
  readonly retrieval?: Readonly<Record<string, Readonly<Record<string, Recall>>>>;
}

/**
 * Where the data has labels: trains a classifier on joint codes of the train split, and gives its accuracy on the test
 * split from the complete sample, every single modality and the subsets that are asked for. Without labels: cross-modal
 * retrieval between the codes of every two of them. A function of (state, data, config, seed).
 *
 * @throws {ConfigError} for a subset of modalities that the model does not have
 * @throws {DataError} when the data lacks a split, a modality or samples
 * @throws {CancelledError} when `signal` fires
 */
export async function evaluateRun(options: EvaluateOptions): Promise<EvaluationResult> {
  const { model, dataset, config, testSplit = "test" } = options;
  const cases = presentCases(model.modalities, config.subsets);
  const split = dataset.split(testSplit);
  if (split.samples === 0) throw new DataError(`${dataset.path}: split "${testSplit}" has no samples to evaluate on.`);
  return split.hasLabels ? accuracies(options, cases) : retrieval(options, cases);
}

async function accuracies(options: EvaluateOptions, cases: readonly PresentCase[]): Promise<EvaluationResult> {
  const { dataset, config, seed, trainSplit = "train", testSplit = "test", signal, logger, onProgress } = options;
  const { samples: wanted } = config.classifier;
  const subset = drawn(seed, "evaluation/classifier", dataset.split(trainSplit).samples, wanted);
  const known = await encode(options, trainSplit, options.model.modalities, subset);
  const classifier = await trainClassifier({
    codes: known.codes,
    dim: known.dim,
    labels: labelsOf(known),
    classes: dataset.classes?.length ?? 0,
    config: config.classifier,
    seed,
    engine: EngineConfig.parse({ ...options.engine, kind: "onnxruntime", threads: 1, device: "cpu" }), // too small a model for more
    rows: config.rows,
    ...(signal && { signal }),
    ...(logger && { logger }),
    ...(onProgress && { onProgress }),
  });
  try {
    const accuracy: Record<string, number> = {};
    let samples = 0;
    for (const { name, present } of cases) {
      const encoded = await encode(options, testSplit, present);
      accuracy[name] = accuracyOf(await classifier.predict(encoded.codes), labelsOf(encoded));
      samples = encoded.samples;
    }
    return { accuracy, samples };
  } finally {
    await classifier.close();
  }
}

async function retrieval(options: EvaluateOptions, cases: readonly PresentCase[]): Promise<EvaluationResult> {
  const { dataset, config, seed, testSplit = "test", signal, onProgress } = options;
  const subset = drawn(seed, "evaluation/retrieval", dataset.split(testSplit).samples, config.retrieval.samples);
  const encoded: { name: string; codes: EncodedSplit }[] = [];
  for (const { name, present } of [...cases.filter(({ name }) => name !== COMPLETE), ...cases.slice(0, 1)]) {
    encoded.push({ name, codes: await encode(options, testSplit, present, subset) });
  }
  const recalls: Record<string, Record<string, Recall>> = Object.fromEntries(encoded.map(({ name }) => [name, {}]));
  const pairs = encoded.flatMap((a, i) => encoded.slice(i + 1).map((b) => [a, b] as const));
  for (const [done, [a, b]] of pairs.entries()) {
    onProgress?.({ label: "Comparing codes", done, total: pairs.length });
    const { forward, backward } = await matchingRanks(a.codes.codes, b.codes.codes, a.codes.dim, signal);
    Object.assign(recalls[a.name] ?? {}, { [b.name]: recallOf(forward) });
    Object.assign(recalls[b.name] ?? {}, { [a.name]: recallOf(backward) });
  }
  onProgress?.({ label: "Comparing codes", done: pairs.length, total: pairs.length });
  return { retrieval: recalls, samples: encoded[0]?.codes.samples ?? 0 };
}

function encode(
  { model, replica, dataset, config, signal, onProgress }: EvaluateOptions,
  split: string,
  present: readonly string[],
  subset?: Uint32Array,
): Promise<EncodedSplit> {
  return encodeSplit({
    model,
    replica,
    dataset,
    split,
    present,
    rows: config.rows,
    ...(subset && { subset }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
}

/** So many of the samples, drawn without replacement, in ascending order; undefined when all are wanted. */
function drawn(seed: number, purpose: string, samples: number, wanted = samples): Uint32Array | undefined {
  if (wanted >= samples) return undefined;
  return permutation(randomKey(seed, purpose), samples).slice(0, wanted).sort();
}

function labelsOf({ labels }: EncodedSplit): Int32Array {
  if (labels) return labels;
  throw new DataError("An accuracy needs labels; the train split has none.");
}
