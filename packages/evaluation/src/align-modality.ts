import { permutation, randomKey } from "@gmc/core";
import type { AlignmentProgress, AlignmentSummary } from "./alignment/alignment.ts";
import { alignment } from "./alignment/alignment.ts";
import { distinctPoints } from "./alignment/distinct-points.ts";
import type { EvaluationConfig } from "./config.ts";
import type { EncodedSplit } from "./encode-split.ts";

export interface AlignModalityOptions {
  /** Codes of complete observations. */
  readonly complete: EncodedSplit;
  /** Codes of the same samples from one modality. */
  readonly modality: JudgedCodes;
  readonly config: EvaluationConfig["alignment"];
  /** Of the lines; the config's goes first. */
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: AlignmentProgress) => void;
}

/** Codes of one modality as they are compared with the complete ones. */
export interface JudgedCodes {
  /** [n, dim] */
  readonly codes: Float32Array;
  readonly dim: number;
  /** [n] class of each code; absent where the data has none. */
  readonly labels?: Int32Array;
  /** True when the modality has few different codes: each is there once. */
  readonly eachOnce: boolean;
  /** [samples] which of the codes stands for each sample; absent: one a sample, in their order. */
  readonly codeOf?: Uint32Array;
}

/** How well one modality's codes lie where the complete ones lie. */
export interface ModalityAlignment extends AlignmentSummary {
  /** True when the modality has few different codes, which were judged each once. */
  readonly eachOnce: boolean;
}

export interface AlignedModality {
  readonly summary: ModalityAlignment;
  /** [complete + judged codes] 1 for a code that lies in no component. */
  readonly outliers: Uint8Array;
  /** [complete + judged codes] number of its component in the summary, or -1. */
  readonly componentOf: Int32Array;
}

/** One run's alignments: the rows of the paper's Table 2. */
export interface AlignmentResult {
  /** Test samples that were drawn: complete codes in every comparison. */
  readonly samples: number;
  /** Of the drawn samples and of the lines. */
  readonly seed: number;
  readonly rays: number;
  readonly modalities: Readonly<Record<string, ModalityAlignment>>;
}

/** Below one different code in so many, a modality says which of a few things it is, as a label does. */
const COPIES = 20;

/**
 * What of a modality's codes is compared. A modality that has few different codes (rounded to `decimals`: at most one a
 * class, or one in 20 samples) is represented by them, each once, as the paper does with its ten labels: thousands of copies
 * of ten points would count as thousands of neighbours. Any other modality is represented by every sample's code, unrounded.
 */
export function judgedCodes(encoded: EncodedSplit, decimals: number, classes = 1): JudgedCodes {
  const { codes, dim, samples, labels } = encoded;
  const scale = 10 ** decimals;
  const rounded = codes.map((value) => Math.round(value * scale) / scale);
  const { firstOf, siteOf } = distinctPoints(rounded, dim);
  if (firstOf.length > Math.max(classes, samples / COPIES)) {
    return { codes, dim, ...(labels && { labels }), eachOnce: false };
  }
  const distinct = new Float32Array(firstOf.length * dim);
  firstOf.forEach((row, place) => {
    distinct.set(rounded.subarray(row * dim, (row + 1) * dim), place * dim);
  });
  const labelsOnce = labels && Int32Array.from(firstOf, (row) => labels[row] ?? 0);
  return { codes: distinct, dim, ...(labelsOnce && { labels: labelsOnce }), eachOnce: true, codeOf: siteOf };
}

/** Delaunay component analysis of one modality's codes (E) against the complete ones (R). @see alignment */
export async function alignModality(options: AlignModalityOptions): Promise<AlignedModality> {
  const { complete, modality, config, signal, onProgress } = options;
  const { decimals: _, samples: __, seed = options.seed, ...settings } = config;
  const { summary, outliers, componentOf } = await alignment({
    ...settings,
    seed,
    reference: complete.codes,
    evaluated: modality.codes,
    dim: complete.dim,
    signal,
    onProgress,
  });
  return { summary: { ...summary, eachOnce: modality.eachOnce }, outliers, componentOf };
}

/** The samples that are compared, in ascending order; undefined when all are. */
export function alignmentSamples(seed: number, samples: number, wanted: number): Uint32Array | undefined {
  if (wanted >= samples) return undefined;
  return permutation(randomKey(seed, "evaluation/alignment"), samples).slice(0, wanted).sort();
}
