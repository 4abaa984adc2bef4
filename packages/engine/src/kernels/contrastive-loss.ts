import type { ContrastiveShape, ContrastiveSpec, Range } from "@gmc/core";
import { ShapeError } from "@gmc/core";
import type { Objective } from "./contrastive-objectives.ts";
import { objectiveOf } from "./contrastive-objectives.ts";
import { SimilarityKernel } from "./similarity-kernel.ts";

/**
 * The contrastive loss over the global batch, exact whoever computes which rows. Gather z, ask for your rows'
 * normalisers, gather those, ask for your rows' gradient. The bits of a row do not depend on how rows are split.
 */
export interface GlobalLoss {
  /** Numbers a row in `logNormalisers`, K. */
  readonly normalisersPerRow: number;
  /**
   * [K, rows] log-normalisers of these rows, from all rows' embeddings z [M+1, B, d]. Each is a pair of float32 whose
   * sum is the number to 48 bits: rounded once at τ = 0.01 it would put 4e-6 on every gradient.
   */
  logNormalisers(z: Float32Array, rows: Range): Float32Array;
  /**
   * This range's share of the mean loss (float64; the shares of a partition add up to the loss) and dz [M+1, rows, d],
   * the plain derivative in z.
   *
   * @param logNormalisers  [K, B], those of every row
   */
  gradient(z: Float32Array, logNormalisers: Float32Array, rows: Range): { loss: number; dz: Float32Array };
}

/**
 * The exact loss of DESIGN section 3 for one spec and shape; memory O(B·d), never O(B²), taken once here.
 *
 * @throws {RangeError} when a size or the temperature is not positive, or the batch has too few rows for a negative
 */
export function contrastiveLoss(spec: ContrastiveSpec, shape: ContrastiveShape): GlobalLoss {
  requireWhole("modalities", shape.modalities);
  requireWhole("batch", shape.batch);
  requireWhole("dim", shape.dim);
  if (!(spec.temperature > 0 && Number.isFinite(1 / spec.temperature))) {
    throw new RangeError(`contrastiveLoss: temperature is a positive number, received ${spec.temperature}`);
  }
  const objective = objectiveOf(spec.loss, shape.modalities);
  if (shape.batch < objective.leastBatch) {
    throw new RangeError(
      `contrastiveLoss: ${spec.loss} needs a batch of at least ${objective.leastBatch} rows, received ${shape.batch}`,
    );
  }
  return new TiledLoss(objective, spec.temperature, shape);
}

class TiledLoss implements GlobalLoss {
  readonly normalisersPerRow: number;
  readonly #objective: Objective;
  readonly #shape: ContrastiveShape;
  readonly #kernel: SimilarityKernel;
  readonly #temperature: number;

  constructor(objective: Objective, temperature: number, shape: ContrastiveShape) {
    this.normalisersPerRow = 2 * objective.normalisers;
    this.#objective = objective;
    this.#shape = shape;
    this.#temperature = temperature;
    this.#kernel = new SimilarityKernel(shape.modalities + 1, shape.batch, shape.dim, temperature);
  }

  logNormalisers(z: Float32Array, rows: Range): Float32Array {
    this.#load("logNormalisers", z, rows);
    return splitPairs(this.#objective.logNormalisers(this.#kernel, rows));
  }

  gradient(z: Float32Array, logNormalisers: Float32Array, rows: Range): { loss: number; dz: Float32Array } {
    this.#load("gradient", z, rows);
    const { batch } = this.#shape;
    if (logNormalisers.length !== this.normalisersPerRow * batch) {
      throw new ShapeError("gradient: logNormalisers", [this.normalisersPerRow, batch], [logNormalisers.length]);
    }
    const all = joinPairs(logNormalisers, this.#objective.normalisers, batch);
    return { loss: this.#lossShare(all, rows), dz: this.#derivative(all, rows) };
  }

  #lossShare(all: readonly Float64Array[], rows: Range): number {
    const { normalisers, rowsMean } = this.#objective;
    const { modalities, batch } = this.#shape;
    let sum = 0;
    for (let row = rows.start; row < rows.end; row++) {
      let term = 0;
      for (let set = 0; set < normalisers; set++) term += this.#objective.lossWeight * (all[set]?.[row] ?? 0);
      for (let m = 0; m < modalities; m++) {
        term -= this.#objective.positiveWeight * this.#kernel.similarity(modalities, m, row);
      }
      sum += term;
    }
    return sum / (rowsMean * batch);
  }

  /** [M+1, rows, d] (weighted sums - positives) / (normaliser of the mean · τ) */
  #derivative(all: readonly Float64Array[], rows: Range): Float32Array {
    const { modalities, dim } = this.#shape;
    const count = rows.end - rows.start;
    const factor = 1 / (this.#objective.rowsMean * this.#shape.batch * this.#temperature);
    const { values, stride } = this.#kernel.sums;
    const dz = new Float32Array((modalities + 1) * count * dim);
    for (let set = 0; set <= modalities; set++) {
      this.#kernel.clearSums(count);
      this.#objective.addWeighted(this.#kernel, set, all, rows);
      this.#takePositives(set, rows);
      for (let i = 0; i < count; i++) {
        const out = (set * count + i) * dim;
        for (let k = 0; k < dim; k++) dz[out + k] = (values[i * stride + k] ?? 0) * factor;
      }
    }
    return dz;
  }

  /** sum -= weight · the row's partners: every modality of a joint row, the joint one of a modality's row. */
  #takePositives(set: number, rows: Range): void {
    const { modalities, batch, dim } = this.#shape;
    const { values, stride } = this.#kernel.sums;
    const z = this.#kernel.embeddings;
    const partners = set === modalities ? Array.from({ length: modalities }, (_, m) => m) : [modalities];
    for (const partner of partners) {
      for (let row = rows.start; row < rows.end; row++) {
        const from = (partner * batch + row) * dim;
        const to = (row - rows.start) * stride;
        for (let k = 0; k < dim; k++) {
          values[to + k] = (values[to + k] ?? 0) - this.#objective.positiveWeight * (z[from + k] ?? 0);
        }
      }
    }
  }

  #load(where: string, z: Float32Array, rows: Range): void {
    const { modalities, batch, dim } = this.#shape;
    if (z.length !== (modalities + 1) * batch * dim) {
      throw new ShapeError(`${where}: z`, [modalities + 1, batch, dim], [z.length]);
    }
    if (
      !(
        Number.isInteger(rows.start) &&
        Number.isInteger(rows.end) &&
        rows.start >= 0 &&
        rows.start <= rows.end &&
        rows.end <= batch
      )
    ) {
      throw new RangeError(`${where}: rows [${rows.start}, ${rows.end}) are not a range within [0, ${batch})`);
    }
    this.#kernel.load(z);
  }
}

/** [2K, rows]: first K sets of float32 roundings, then K sets of what they leave. */
function splitPairs(sets: readonly Float64Array[]): Float32Array {
  const rows = sets[0]?.length ?? 0;
  const pairs = new Float32Array(2 * sets.length * rows);
  for (const [s, values] of sets.entries()) {
    for (let i = 0; i < rows; i++) {
      const value = values[i] ?? 0;
      pairs[s * rows + i] = value;
      pairs[(sets.length + s) * rows + i] = value - Math.fround(value);
    }
  }
  return pairs;
}

const joinPairs = (pairs: Float32Array, sets: number, rows: number): Float64Array[] =>
  Array.from({ length: sets }, (_, s) => {
    const values = new Float64Array(rows);
    for (let i = 0; i < rows; i++) values[i] = (pairs[s * rows + i] ?? 0) + (pairs[(sets + s) * rows + i] ?? 0);
    return values;
  });

function requireWhole(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`contrastiveLoss: ${name} is a whole number from 1, received ${value}`);
  }
}
