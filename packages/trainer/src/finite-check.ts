import type { Model, ShardForward } from "@gmc/core";
import { NonFiniteError, tensorLayout } from "@gmc/core";
import { firstNonFinite } from "./finite.ts";

/** Checks of one step; each throws a NonFiniteError that names step, shard and what. */
export interface FiniteCheck {
  forward(shard: number, forward: ShardForward): void;
  value(shard: number, what: string, value: number): void;
  /** @param shard  null: the sum over all shards */
  gradient(shard: number | null, gradient: Float32Array): void;
  /** Refuses one element of a gradient, known to be not finite. */
  gradientAt(shard: number, index: number, value: number): void;
}

/**
 * @param step            counted from 1, as in metrics
 * @param lastCheckpoint  file to go back to; null when there is none
 */
export function finiteCheck(model: Model, step: number, lastCheckpoint: string | null): FiniteCheck {
  const refuse = (shard: number | null, what: string, value: number): never => {
    const where = shard === null ? "the sum over all shards" : `shard ${shard}`;
    throw new NonFiniteError(
      `Step ${step}, ${where}: the ${what} is ${value}; the step was not committed. ` +
        `Last checkpoint: ${lastCheckpoint ?? "none"}. A lower training.optimizer.learningRate, or training.clipNorm, often helps.`,
      { step, shard, what, value: String(value), lastCheckpoint },
    );
  };
  const array = (shard: number | null, values: Float32Array | undefined, nameAt: (index: number) => string): void => {
    const index = values ? firstNonFinite(values) : -1;
    if (index >= 0) refuse(shard, nameAt(index), values?.[index] ?? Number.NaN);
  };
  return {
    forward(shard, { embeddings, localLoss, batchStatistics }) {
      array(shard, embeddings, (index) => {
        const set = Math.floor((index * (model.modalities.length + 1)) / (embeddings?.length ?? 1));
        return `embedding of ${model.modalities[set] ?? "the joint encoder"}`;
      });
      if (localLoss !== undefined) this.value(shard, "local loss", localLoss);
      array(shard, batchStatistics, (index) => `batch statistic of ${tensorAt(model.buffers, index)}`);
    },
    value(shard, what, value) {
      if (!Number.isFinite(value)) refuse(shard, what, value);
    },
    gradient(shard, gradient) {
      array(shard, gradient, (index) => `gradient of ${tensorAt(model.parameters, index)}`);
    },
    gradientAt(shard, index, value) {
      refuse(shard, `gradient of ${tensorAt(model.parameters, index)}`, value);
    },
  };
}

const tensorAt = (specs: Model["parameters"] | Model["buffers"], index: number): string =>
  tensorLayout(specs).entries.find((entry) => index < entry.end)?.name ?? `element ${index}`;
