import { ConfigError, permutation, randomKey } from "@gmc/core";

/**
 * Order in which an epoch visits the samples: a pure function of (seed, epoch).
 *
 * @param seed     the run's seed
 * @param epoch    from 0
 * @param samples  N
 * @returns        [N] a permutation of 0 … N - 1
 */
export const epochOrder = (seed: number, epoch: number, samples: number): Uint32Array =>
  permutation(randomKey(seed, "epoch", epoch), samples);

/**
 * A random part of the samples set aside for validation; both parts in ascending order.
 *
 * @param fraction  0 ≤ fraction < 1 of the samples; the number is rounded down
 * @throws {ConfigError} when that is no fraction
 */
export function holdOut(
  seed: number,
  samples: number,
  fraction: number,
): { readonly train: Uint32Array; readonly validation: Uint32Array } {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new ConfigError(`The validation fraction is at least 0 and below 1, received ${fraction}.`, { fraction });
  }
  const order = permutation(randomKey(seed, "hold-out"), samples);
  const held = Math.floor(samples * fraction);
  return { train: order.slice(held).sort(), validation: order.slice(0, held).sort() };
}

/** How the epochs of a run are cut into global batches, and those into shards. */
export interface BatchPlan {
  /** N */
  readonly samples: number;
  /** B */
  readonly batchSize: number;
  /** V */
  readonly shards: number;
  readonly seed: number;
  /** Rows of every epoch's last batch; B where it is full or dropped. */
  readonly lastRows: number;
  readonly stepsPerEpoch: number;
  /** Shards whose rows are wanted, in this order; absent: all. */
  readonly own?: readonly number[];
}

/** What a caller decides about batches. */
export interface BatchOptions {
  /** B, samples of a global batch. */
  readonly batchSize: number;
  /** V, logical shards of a batch; divides it. */
  readonly shards: number;
  readonly seed: number;
  /** What becomes of the samples that do not fill a batch. `keep` needs V to divide them, with two rows or more a shard. */
  readonly lastBatch: "drop" | "keep";
  /** Shards of this worker: a batch holds them alone, in this order. Absent: all. */
  readonly own?: readonly number[];
}

/** The plan, or why there is none. @throws {ConfigError} that names the numbers that do not fit */
export function planBatches(samples: number, options: BatchOptions): BatchPlan {
  const { shards, own } = options;
  const plan = planWhole(samples, options);
  if (own === undefined) return plan;
  if (
    own.length === 0 ||
    new Set(own).size < own.length ||
    !own.every((shard) => Number.isInteger(shard) && shard >= 0 && shard < shards)
  ) {
    throw new RangeError(`A worker's shards are some of 0 to ${shards - 1}, each once; received [${own}].`);
  }
  return { ...plan, own };
}

function planWhole(samples: number, { batchSize, shards, seed, lastBatch }: BatchOptions): BatchPlan {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw refuse("batchSize", `batchSize ${batchSize} is not 1 or more.`);
  if (!Number.isSafeInteger(shards) || shards < 1) throw refuse("shards", `shards ${shards} is not 1 or more.`);
  if (batchSize % shards !== 0) {
    throw refuse(
      "shards",
      `batchSize ${batchSize} cannot be cut into ${shards} equal shards; choose shards that divide batchSize.`,
    );
  }
  const full = Math.floor(samples / batchSize);
  const rest = samples % batchSize;
  if (lastBatch === "keep" && rest > 0) {
    if (rest % shards !== 0 || rest / shards < 2) {
      throw refuse(
        "lastBatch",
        `lastBatch "keep" leaves a last batch of ${rest} samples (${samples} in batches of ${batchSize}), which ${shards} shards ` +
          `cannot share with two or more each and equally; use lastBatch "drop", or another batchSize.`,
      );
    }
    return { samples, batchSize, shards, seed, lastRows: rest, stepsPerEpoch: full + 1 };
  }
  if (full === 0) {
    throw refuse(
      "batchSize",
      `batchSize ${batchSize} is larger than the ${samples} samples there are, so an epoch has no batch; lower batchSize.`,
    );
  }
  return { samples, batchSize, shards, seed, lastRows: batchSize, stepsPerEpoch: full };
}

const refuse = (field: string, message: string): ConfigError => new ConfigError(message, { path: `training.${field}` });

/** Which samples a step takes. */
export interface StepRows {
  readonly step: number;
  readonly epoch: number;
  /** Rows of the shards that are wanted, one shard after another; shard v holds the v-th of V equal parts of the batch's. */
  readonly rows: Uint32Array;
}

/** The rows of any step of the plan, with the current epoch's order at hand. */
export class StepSampler {
  readonly #plan: BatchPlan;
  readonly #subset: Uint32Array | undefined;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array(0);

  /** @param subset  [N] the samples to draw from; absent: all */
  constructor(plan: BatchPlan, subset?: Uint32Array) {
    this.#plan = plan;
    this.#subset = subset;
  }

  /** Rows permutation[s·B …] of global step `step` (from 0). */
  at(step: number): StepRows {
    const { batchSize, stepsPerEpoch, lastRows } = this.#plan;
    const epoch = Math.floor(step / stepsPerEpoch);
    const within = step - epoch * stepsPerEpoch;
    const order = this.#orderOf(epoch);
    const count = within === stepsPerEpoch - 1 ? lastRows : batchSize;
    const whole = order.subarray(within * batchSize, within * batchSize + count);
    return { step, epoch, rows: this.#ownOf(whole) };
  }

  #ownOf(whole: Uint32Array): Uint32Array {
    const { own, shards } = this.#plan;
    if (!own) return whole;
    const rows = whole.length / shards;
    const picked = new Uint32Array(own.length * rows);
    for (const [i, shard] of own.entries()) picked.set(whole.subarray(shard * rows, (shard + 1) * rows), i * rows);
    return picked;
  }

  #orderOf(epoch: number): Uint32Array {
    if (epoch === this.#epoch) return this.#order;
    const order = epochOrder(this.#plan.seed, epoch, this.#plan.samples);
    const subset = this.#subset;
    if (subset) for (let i = 0; i < order.length; i++) order[i] = subset[order[i] ?? 0] ?? 0;
    this.#epoch = epoch;
    this.#order = order;
    return order;
  }
}
