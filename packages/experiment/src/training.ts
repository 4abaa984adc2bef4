import type { Logger, Model, Replica } from "@gmc/core";
import { silentLogger } from "@gmc/core";
import type { BatchSource, Dataset } from "@gmc/data";
import { holdOut, openDataset, trainBatches } from "@gmc/data";
import { openReplica, replicasFor } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import type { Closable } from "./closing.ts";
import { opening } from "./closing.ts";
import type { RunConfig } from "./run-config.ts";

/** Everything a training loop works with, open. */
export interface Training extends Closable {
  readonly dataset: Dataset;
  readonly model: Model;
  readonly replica: Replica;
  readonly source: BatchSource;
  /** Absent where nothing is held out. */
  readonly validation?: BatchSource;
  close(): Promise<void>;
}

/** Opens data, model, compiled replica and batches: what can be wrong with a config shows here, before anything is written. */
export const openTraining = (config: RunConfig, logger: Logger = silentLogger): Promise<Training> =>
  opening(async (closing) => {
    const dataset = closing.add(await openDataset(config.data.path));
    const model = await buildModel(config.model, dataset.modalities);
    const sources = openSources(config, dataset, model);
    for (const source of Object.values(sources)) closing.add(source);
    const engine = { ...config.engine, replicas: replicasFor(config.engine, config.training.shards) };
    const replica = closing.add(await openReplica(model, engine, logger));
    await replica.compile(config.training.batchSize / config.training.shards);
    return { dataset, model, replica, ...sources, close: () => closing.close() };
  });

function openSources({ data, training, seed }: RunConfig, dataset: Dataset, model: Model) {
  const { batchSize, shards, lastBatch } = training;
  const { fraction } = training.validation;
  const parts = fraction > 0 ? holdOut(seed, dataset.split(data.trainSplit).samples, fraction) : undefined;
  const inputs = model.inputs(batchSize / shards, "train");
  const common = { dataset, split: data.trainSplit, inputs, batchSize, shards, seed };
  const { threads, prefetch } = data;
  const source = trainBatches({ ...common, lastBatch, threads, prefetch, ...(parts && { subset: parts.train }) });
  if (!parts) return { source };
  return {
    source,
    validation: trainBatches({ ...common, lastBatch: "drop", threads, prefetch, subset: parts.validation }),
  };
}
