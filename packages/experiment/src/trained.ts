import type { Logger, Model, Replica, TrainState } from "@gmc/core";
import { CheckpointError, silentLogger } from "@gmc/core";
import type { Dataset } from "@gmc/data";
import { datasetExists, openDataset } from "@gmc/data";
import { openReplica } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import type { CheckpointKind } from "@gmc/trainer";
import { readCheckpoint } from "@gmc/trainer";
import type { Closable } from "./closing.ts";
import { opening } from "./closing.ts";
import type { LoadedRun } from "./load-run.ts";
import { loadRun } from "./load-run.ts";
import type { Override } from "./overrides.ts";

/** A trained model on a replica, with data to use it on. */
export interface Trained extends Closable {
  readonly run: LoadedRun;
  readonly dataset: Dataset;
  readonly model: Model;
  readonly replica: Replica;
  readonly state: TrainState;
  close(): Promise<void>;
}

/** What of a run is opened. */
export interface TrainedOptions {
  /** The run's folder. */
  readonly run: string;
  /** Values of the sections data, engine and evaluation, for instance `["data.path", "elsewhere"]`. */
  readonly overrides?: readonly Override[];
  /** Default: the best by validation loss where samples were held out, else the last. */
  readonly checkpoint?: CheckpointKind;
  readonly logger?: Logger;
  /** Ends the fetch of a data set by URL. */
  readonly signal?: AbortSignal;
}

/** A run's model and its weights, before there is anything to compute with. */
export type TrainedState = Pick<Trained, "run" | "model" | "state">;

/**
 * Opens a run for use. The model is the one that was trained, whatever modalities the data at hand has beside or lacks.
 *
 * @throws {UsageError} when the folder is no run
 * @throws {CheckpointError} when there is no checkpoint, or it is not this model's
 */
export async function openTrained(options: TrainedOptions): Promise<Trained> {
  return openReplicaOf(await readTrained(options), options);
}

/** A run's model and weights. @throws as `openTrained` does */
export async function readTrained(options: TrainedOptions): Promise<TrainedState> {
  const run = await loadRun(options.run, options.overrides);
  const model = await buildModel(run.config.model, run.data.modalities);
  return { run, model, state: await loadState(options, run, model) };
}

/** A replica with these weights, and the data to use it on. */
export const openReplicaOf = (
  { run, model, state }: TrainedState,
  { overrides = [], logger = silentLogger, signal }: TrainedOptions,
): Promise<Trained> =>
  opening(async (closing) => {
    const dataset = closing.add(await openDataset(await dataPath(run, overrides), { logger, signal }));
    const engine = { ...run.config.engine, replicas: 1 }; // encodings come one after another, each on all threads
    const replica = closing.add(await openReplica(model, engine, logger));
    await replica.write(state);
    return { run, dataset, model, replica, state, close: () => closing.close() };
  });

async function loadState({ run: path, checkpoint }: TrainedOptions, run: LoadedRun, model: Model): Promise<TrainState> {
  const kind = checkpoint ?? (run.config.training.validation.fraction > 0 ? "best" : "last");
  const read = (which: CheckpointKind) => readCheckpoint(run.folder.checkpoints, which, model);
  const state = (await read(kind)) ?? (checkpoint === undefined ? await read("last") : undefined);
  if (state) return state;
  const message = `${path} has no checkpoint yet: train it first, or go on with gmc train --resume --out ${path}.`;
  throw new CheckpointError(message, { run: path });
}

/** The data's path as configured; where a relative one leads nowhere from here, the place it had when the run began. */
export async function dataPath({ config, data }: LoadedRun, overrides: readonly Override[]): Promise<string> {
  const given = overrides.some(([path]) => path === "data.path");
  if (given || (await datasetExists(config.data.path))) return config.data.path;
  return (await datasetExists(data.path)) ? data.path : config.data.path;
}
