import type { Logger, Model, Replica } from "@gmc/core";
import { silentLogger } from "@gmc/core";
import type { BatchSource, Dataset } from "@gmc/data";
import { holdOut, openDataset, trainBatches, verifyDataset } from "@gmc/data";
import { openReplica, replicasFor } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import type { Closable } from "./closing.ts";
import { Closing, opening } from "./closing.ts";
import type { RunConfig } from "./run-config.ts";

/** Everything a training loop works with, open: what survives from one generation of workers to the next. */
export interface Training extends Closable {
  readonly dataset: Dataset;
  readonly model: Model;
  readonly replica: Replica;
  /**
   * Batches to train and validate on. Close them before others are opened, or they keep what they have read ahead.
   *
   * @param own  shards of this worker, in the order in which batches hold them; absent: all
   */
  sources(own?: readonly number[]): TrainingSources;
  close(): Promise<void>;
}

export interface TrainingSources extends Closable {
  readonly source: BatchSource;
  /** Absent where nothing is held out. */
  readonly validation?: BatchSource;
  close(): Promise<void>;
}

export interface OpenTrainingOptions {
  /** Shards that are computed here, at most: decides how many at once. Default: all. */
  readonly shards?: number;
  /** True compares every byte of the train split with the manifest's sums, once for each state of a file. */
  readonly verify?: boolean;
  /** Ends the fetch of a data set by URL, and the verification. */
  readonly signal?: AbortSignal | undefined;
}

/** Opens data, model and compiled replica: what can be wrong with a config shows here, before anything is written. */
export const openTraining = (
  config: RunConfig,
  logger: Logger = silentLogger,
  { shards = config.training.shards, verify = false, signal }: OpenTrainingOptions = {},
): Promise<Training> =>
  opening(async (closing) => {
    const access = { splits: [config.data.trainSplit], logger, signal };
    const dataset = closing.add(await openDataset(config.data.path, access));
    if (verify) await verifyDataset(dataset, signal);
    const model = await buildModel(config.model, dataset.modalities);
    const sources = (own?: readonly number[]) => openSources(config, dataset, model, own);
    await sources().close(); // whether batches can be made of the data
    const engine = { ...config.engine, replicas: replicasFor(config.engine, shards) };
    const replica = closing.add(await openReplica(model, engine, logger));
    await replica.compile(config.training.batchSize / config.training.shards);
    return { dataset, model, replica, sources, close: () => closing.close() };
  });

function openSources(
  { data, training, seed }: RunConfig,
  dataset: Dataset,
  model: Model,
  own: readonly number[] | undefined,
): TrainingSources {
  const { batchSize, shards, lastBatch } = training;
  const { fraction } = training.validation;
  const parts = fraction > 0 ? holdOut(seed, dataset.split(data.trainSplit).samples, fraction) : undefined;
  const inputs = model.inputs(batchSize / shards, "train");
  const { threads, prefetch, trainSplit: split } = data;
  const common = { dataset, split, inputs, batchSize, shards, seed, threads, prefetch, ...(own && { own }) };
  const closing = new Closing();
  const source = closing.add(trainBatches({ ...common, lastBatch, ...(parts && { subset: parts.train }) }));
  const close = () => closing.close();
  if (!parts) return { source, close };
  const validation = closing.add(trainBatches({ ...common, lastBatch: "drop", subset: parts.validation }));
  return { source, validation, close };
}
