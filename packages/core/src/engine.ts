import type { ContrastiveSpec, Inputs, Present } from "./model.ts";
import type { Range } from "./shapes.ts";
import type { TrainState } from "./train-state.ts";

/** What one shard's training forward gives; the arrays stay valid until the shard's next forward. */
export interface ShardForward {
  /** [M+1, b, d] */
  readonly embeddings?: Float32Array;
  readonly localLoss?: number;
  /** [Q] flat, in the order of `Model.buffers`. */
  readonly batchStatistics?: Float32Array;
}

/** The gradient of the objective with respect to what a shard's forward gave. */
export interface Cotangent {
  /** [M+1, b, d] */
  readonly dz?: Float32Array;
  /** Weight of the shard's local loss in the objective, 1/V. */
  readonly localWeight: number;
}

/**
 * A model compiled for training shards of a fixed number of rows. Calls for different shards may overlap (into different
 * gradients), `Replica.shardsAtOnce` of them compute at the same time; a shard's own calls come one after another.
 */
export interface CompiledModel {
  readonly rows: number;
  /** Runs shard `shard`; what its backward needs stays until then. */
  forward(shard: number, inputs: Inputs): Promise<ShardForward>;
  /**
   * Writes the shard's gradient ([P], all of it). Parts finish in one fixed order for every shard; a range handed to
   * `onPart` is not written again until the promise it returns is settled.
   */
  backward(
    shard: number,
    cotangent: Cotangent,
    gradient: Float32Array,
    onPart?: (part: Range) => Promise<void>,
  ): Promise<void>;
}

/** A model compiled for encoding a fixed number of rows from fixed modalities. */
export interface Encoder {
  readonly rows: number;
  /** Codes [rows, d] and outputs [rows, …] of a full batch; pad the last one. */
  encode(
    inputs: Inputs,
  ): Promise<{ readonly code: Float32Array; readonly outputs: Readonly<Record<string, Float32Array>> }>;
}

/** One step of Adam or AdamW on the flat vector (Kingma & Ba 2015; Loshchilov & Hutter 2019). */
export interface UpdateRule {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled weight decay, per unit of learning rate; 0 is plain Adam. */
  readonly weightDecay: number;
  /** The gradient is scaled down to this 2-norm when it is longer; absent: never. */
  readonly maxNorm?: number;
}

/** M modalities beside the joint one, B rows in the global batch, d numbers a row. */
export interface ContrastiveShape {
  readonly modalities: number;
  readonly batch: number;
  readonly dim: number;
}

/**
 * The exact contrastive loss of the global batch (the engine's `GlobalLoss`, which says what goes in and comes out),
 * computed on a replica's threads: calls for different rows may overlap. What a call was given must not change before it
 * settles.
 */
export interface ThreadedLoss {
  readonly normalisersPerRow: number;
  logNormalisers(z: Float32Array, rows: Range): Promise<Float32Array>;
  gradient(
    z: Float32Array,
    logNormalisers: Float32Array,
    rows: Range,
  ): Promise<{ readonly loss: number; readonly dz: Float32Array }>;
}

/** Blocks for gradients that are to be added up, where the device keeps and adds them best. */
export interface GradientBlocks {
  /** [P] another block, the caller's until the replica closes. */
  allocate(): Float32Array;
  /** sum += term, each element rounded to float32; any two arrays of one length, the same range of two blocks above all. */
  add(sum: Float32Array, term: Float32Array): void;
}

/** What computes: the CPU, or a graphics card by onnxruntime's name of the way to it. */
export interface ComputeDevice {
  readonly kind: "cpu" | "webgpu" | "cuda";
  /** The card and its driver, where they can be asked. */
  readonly adapter?: string;
  /** What computes there, with its version, where it is not onnxruntime. */
  readonly library?: string;
}

/** One copy of a model on one device; the state lives where the device wants it. */
export interface Replica {
  /** For logs and run records; absent: the CPU. The bits of a run are promised for one device. */
  readonly device?: ComputeDevice;
  /** Shards whose forwards, or backwards, it computes at the same time; absent: 1. The results do not depend on it. */
  readonly shardsAtOnce?: number;
  /** [P] the block that `update` reads: a gradient that was computed into it is not copied. Absent: there is none. */
  readonly gradient?: Float32Array;
  /** Absent: plain arrays, added in a loop (`addInto`). */
  readonly gradientBlocks?: GradientBlocks;
  /**
   * The loss on threads, where that is worth it: for `shardsAtOnce` shards at the same time, arrays on shared memory not
   * copied. Absent or undefined: the caller computes it (the engine's `contrastiveLoss`), with the same bits.
   */
  contrastiveLoss?(spec: ContrastiveSpec, shape: ContrastiveShape): ThreadedLoss | undefined;
  /** Cached by rows. */
  compile(rows: number): Promise<CompiledModel>;
  /** Cached by rows and modalities. */
  encoder(rows: number, present: Present): Promise<Encoder>;
  write(state: TrainState): Promise<void>;
  /** A copy; the loop's `progress` is the one last written. */
  read(): Promise<TrainState>;
  /**
   * Clips, applies the rule, replaces the buffers by `buffers` ([Q]), counts the step. Returns the gradient's 2-norm before clipping.
   *
   * @param commit  called once, when the gradient was found finite and before anything changes: what it rejects with is
   *                thrown, and nothing has changed. Must be called and awaited where it is given.
   * @throws {NonFiniteError} when that norm is NaN or infinite; then nothing has changed, `gradient` neither
   */
  update(
    gradient: Float32Array,
    rule: UpdateRule,
    buffers: Float32Array,
    commit?: () => Promise<void>,
  ): Promise<{ readonly gradientNorm: number }>;
  close(): Promise<void>;
}
