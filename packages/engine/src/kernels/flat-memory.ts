import type { GradientBlocks, UpdateRule } from "@gmc/core";
import { addInto } from "@gmc/core";
import { FLAT_MEMORY_WASM } from "./flat-memory.gen.ts";
import { FLAT_MEMORY_SHARED_WASM } from "./flat-memory-shared.gen.ts";
import { allocateMemory, instantiate, LARGEST_BYTES } from "./web-assembly.ts";

/** β1^t and β2^t after the step that is taken, by repeated multiplication. */
export interface AdamPowers {
  readonly beta1Power: number;
  readonly beta2Power: number;
}

/**
 * The four flat vectors of a model's training state in one WebAssembly memory that never grows: native code may keep
 * the views' addresses until `close`. Everything after `close` throws a TypeError.
 *
 * As `GradientBlocks` it gives its spare vectors first, plain arrays once there is none left; what lies in the memory is
 * added in WASM SIMD.
 */
export interface FlatMemory extends GradientBlocks {
  /** Elements of each vector, P. */
  readonly length: number;
  /** [P] views into the memory; write them freely. */
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /**
   * One step of Adam or AdamW from `gradient`, as PyTorch defines it; parameters and moments are replaced.
   *
   * @param scale  factor on the gradient, for clipping; 1 for none
   */
  adamStep(rule: UpdateRule, powers: AdamPowers, scale: number): void;
  /** 2-norm of `gradient`, summed in float64 over fixed tiles in order: a function of the vector's bits alone. */
  gradientNorm(): number;
  /** True when `gradient` holds neither NaN nor an infinity. */
  isFinite(): boolean;
  /** Lets go of the memory; the garbage collector returns it once nobody holds a view. */
  close(): void;
}

type Vectors = Pick<FlatMemory, "parameters" | "gradient" | "firstMoment" | "secondMoment">;

/** Exports of `wat/flat-memory.mjs`; addresses in bytes, counts in groups of four elements. */
interface FlatMemoryFunctions {
  adam(
    parameters: number,
    gradient: number,
    firstMoment: number,
    secondMoment: number,
    groups: number,
    scale: number,
    beta1: number,
    oneMinusBeta1: number,
    beta2: number,
    oneMinusBeta2: number,
    rate: number,
    epsilon: number,
    decay: number,
  ): void;
  add(sum: number, term: number, groups: number): void;
  sumOfSquares(address: number, groups: number): number;
  allFinite(address: number, groups: number): number;
}

/** Vectors start at multiples of this: a cache line. */
const ALIGNMENT_BYTES = 64;
/** Groups of four elements in one tile of the norm's sum. */
const TILE_GROUPS = 4096;
/** Parameters, gradient, two moments. */
const STATE_VECTORS = 4;

/** How a flat memory is made. */
export interface FlatMemoryOptions {
  /** On a SharedArrayBuffer, for use from several threads. */
  readonly shared?: boolean;
  /** Room for so many gradients more, or for as many as 4 GiB have; it takes memory once it is used. Default 0. */
  readonly spare?: number;
}

/**
 * Zeroed flat vectors of `length` elements.
 *
 * @throws {EnvironmentError} when the four vectors do not fit WebAssembly's 4 GiB or this machine's memory
 */
export function openFlatMemory(length: number, options: FlatMemoryOptions = {}): FlatMemory {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(`openFlatMemory: length is a whole number of elements, received ${length}`);
  }
  return new WasmFlatMemory(length, options);
}

/**
 * A step of Adam with the bias corrections worked in: p·decay - rate·m / (√v + epsilon), where m and v are the new moments.
 * In float64; round once.
 */
export function adamFactors(rule: UpdateRule, powers: AdamPowers): { rate: number; epsilon: number; decay: number } {
  const rootOfCorrection2 = Math.sqrt(1 - powers.beta2Power); // IEEE 754 defines sqrt to the last bit
  return {
    rate: (rule.learningRate * rootOfCorrection2) / (1 - powers.beta1Power),
    epsilon: rule.epsilon * rootOfCorrection2,
    decay: 1 - rule.learningRate * rule.weightDecay,
  };
}

class WasmFlatMemory implements FlatMemory {
  readonly length: number;
  readonly #groups: number;
  readonly #strideBytes: number;
  #open:
    | { readonly vectors: Vectors; readonly spare: Float32Array[]; readonly functions: FlatMemoryFunctions }
    | undefined;

  constructor(length: number, { shared = false, spare = 0 }: FlatMemoryOptions) {
    this.length = length;
    this.#groups = Math.ceil(length / 4);
    this.#strideBytes = Math.ceil((length * 4) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    const fitting = Math.floor(LARGEST_BYTES / Math.max(this.#strideBytes, 1)) - STATE_VECTORS;
    const spareCount = Math.max(0, Math.min(spare, fitting));
    const sizeBytes = (STATE_VECTORS + spareCount) * this.#strideBytes;
    const memory = allocateMemory(`A model of ${length} parameters`, sizeBytes, shared);
    const vector = (index: number) => new Float32Array(memory.buffer, index * this.#strideBytes, length);
    this.#open = {
      vectors: { parameters: vector(0), gradient: vector(1), firstMoment: vector(2), secondMoment: vector(3) },
      spare: Array.from({ length: spareCount }, (_, i) => vector(STATE_VECTORS + i)),
      functions: instantiate(shared ? FLAT_MEMORY_SHARED_WASM : FLAT_MEMORY_WASM, memory),
    };
  }

  get parameters(): Float32Array {
    return this.#opened().vectors.parameters;
  }
  get gradient(): Float32Array {
    return this.#opened().vectors.gradient;
  }
  get firstMoment(): Float32Array {
    return this.#opened().vectors.firstMoment;
  }
  get secondMoment(): Float32Array {
    return this.#opened().vectors.secondMoment;
  }

  adamStep(rule: UpdateRule, powers: AdamPowers, scale: number): void {
    const { vectors, functions } = this.#opened();
    const { beta1, beta2 } = rule;
    const { rate, epsilon, decay } = adamFactors(rule, powers);
    functions.adam(
      vectors.parameters.byteOffset,
      vectors.gradient.byteOffset,
      vectors.firstMoment.byteOffset,
      vectors.secondMoment.byteOffset,
      this.#groups,
      scale,
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      rate,
      epsilon,
      decay,
    );
  }

  allocate(): Float32Array {
    return this.#opened().spare.pop() ?? new Float32Array(this.length);
  }

  add(sum: Float32Array, term: Float32Array): void {
    const { vectors, functions } = this.#opened();
    const { length } = sum;
    if (term.length !== length) {
      throw new TypeError(`add: expected two arrays of one length, received ${length} and ${term.length} elements.`);
    }
    const { buffer } = vectors.gradient;
    if (sum.buffer !== buffer || term.buffer !== buffer) {
      addInto(sum, term);
      return;
    }
    const groups = length >> 2;
    functions.add(sum.byteOffset, term.byteOffset, groups);
    addInto(sum.subarray(4 * groups), term.subarray(4 * groups)); // what lies behind a range is not ours
  }

  gradientNorm(): number {
    const { vectors, functions } = this.#opened();
    const start = vectors.gradient.byteOffset;
    let sum = 0;
    for (let group = 0; group < this.#groups; group += TILE_GROUPS) {
      sum += functions.sumOfSquares(start + group * 16, Math.min(TILE_GROUPS, this.#groups - group));
    }
    return Math.sqrt(sum);
  }

  isFinite(): boolean {
    const { vectors, functions } = this.#opened();
    return functions.allFinite(vectors.gradient.byteOffset, this.#groups) === 1;
  }

  close(): void {
    this.#open = undefined;
  }

  #opened() {
    if (!this.#open) throw new TypeError("FlatMemory: used after close()");
    return this.#open;
  }
}
