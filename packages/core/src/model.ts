import type { Scalar, Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import type { Shape } from "./shapes.ts";

/** Tensors by name, inside a model. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Values by name, outside a model: row-major float32 of the shapes the model's `inputs` give. */
export type Inputs = Readonly<Record<string, Float32Array>>;

/** The modalities an encoding may use, in the model's order. */
export type Present = readonly string[];

/** How a parameter starts. `uniform`: U(-bound, bound), PyTorch's default with bound 1/√fanIn. */
export type Initialiser =
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "constant"; readonly value: number };

/** One trained tensor. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initialiser: Initialiser;
  /** What it belongs to: a modality's name, "joint", "head", … Parameters of one part stand together in the list. */
  readonly part: string;
}

/**
 * One running statistic, for instance a batch norm's mean. After a training step
 * `value ← (1 - momentum)·value + momentum·(mean over shards of batchStatistics[name])`.
 */
export interface BufferSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initial: number;
  readonly momentum: number;
}

/** One tensor a graph reads beside parameters and buffers. */
export interface InputSpec {
  readonly name: string;
  /** With the rows of the shard as first axis. */
  readonly shape: Shape;
  /**
   * `modality`: the sample's tensor of that name (kind `label`: one-hot) · `target`: the class, one-hot ·
   * `mask`: per element 1/keep with probability keep, else 0 · `noise`: standard normal per element.
   * Masks and noise are drawn by the trainer, keyed (seed, name, global step, place in the global batch, element).
   */
  readonly source:
    | { readonly kind: "modality" }
    | { readonly kind: "target" }
    | { readonly kind: "mask"; readonly keep: number }
    | { readonly kind: "noise" };
}

/** What one shard's training forward gives. */
export interface ForwardResult {
  /** [M+1, b, d] rows of unit length, the modalities in order and the joint one last; absent where nothing is contrasted. */
  readonly embeddings?: Tensor3D;
  /** [] mean over the shard's rows: supervised loss, reconstruction, KL; absent for plain GMC. */
  readonly localLoss?: Scalar;
  /** Mean and unbiased variance of this shard, one a buffer, by the buffer's name and in its shape. */
  readonly batchStatistics?: Tensors;
}

/** What an encoding gives. */
export interface Encoding {
  /** [b, d] */
  readonly code: Tensor2D;
  /** What hangs on the code: predictions, reconstructions; [b, …] each. */
  readonly outputs?: Tensors;
}

/**
 * A model: pure functions of tfjs ops on records of named tensors (NHWC, convolutions padded `'same'` or `'valid'`).
 * It knows nothing of engines, workers or optimisers. Randomness comes in as inputs.
 */
export interface Model {
  /** In flat order: parameter i starts where i - 1 ends. */
  readonly parameters: readonly ParameterSpec[];
  readonly buffers: readonly BufferSpec[];
  /** Names of the modalities it knows, in the order of the embeddings. */
  readonly modalities: readonly string[];
  /** What is added to the local loss; absent where nothing is contrasted. */
  readonly contrastive?: ContrastiveSpec;
  /** What a graph of `rows` rows reads: in training everything, for an encoding what the present modalities need. */
  inputs(rows: number, use: "train" | Present): readonly InputSpec[];
  forward(parameters: Tensors, buffers: Tensors, inputs: Tensors): ForwardResult;
  encode(parameters: Tensors, buffers: Tensors, inputs: Tensors, present: Present): Encoding;
}

/** The contrastive loss over all embeddings of the global batch; formulas in `models`' README. */
export interface ContrastiveSpec {
  readonly loss: "nt_xent" | "negatives_only" | "joints_as_negatives";
  /** τ > 0, dimensionless */
  readonly temperature: number;
}
