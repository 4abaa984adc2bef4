import { rm } from "node:fs/promises";
import type { ComputeDevice, Logger, TrainState } from "@gmc/core";
import { initialTrainState, silentLogger } from "@gmc/core";
import type { RunFolder } from "@gmc/storage";
import { createRunFolder, exists, openRunFolder, writeFileAtomic } from "@gmc/storage";
import type { Checkpoints } from "@gmc/trainer";
import { openCheckpoints } from "@gmc/trainer";
import type { RunConfig } from "./run-config.ts";
import { formatRunConfig } from "./run-config.ts";
import { dataOrigin, deviceText, readDevice, writeOrigin } from "./run-origin.ts";
import type { Training } from "./training.ts";

export interface RunStartOptions {
  readonly config: RunConfig;
  /** The run's folder: new, or with `resume` an existing run's. */
  readonly out: string;
  readonly resume: boolean;
  readonly training: Training;
  readonly logger?: Logger;
}

/** Where a run is kept, and the state it goes on from. */
export interface RunStart {
  readonly folder: RunFolder;
  readonly state: TrainState;
}

/**
 * Makes a run's folder with config and environment, and gives the first state; with `resume` opens it, and gives the last
 * checkpoint's state, or the first where there is none yet.
 *
 * A start that fails leaves no folder behind.
 *
 * @throws {UsageError} when `out` is a run already, or with `resume` is none
 * @throws {CheckpointError} when a resume's config or data are not the run's
 */
export const openRunFolderFor = (options: RunStartOptions): Promise<RunStart> =>
  options.resume ? resumed(options) : started(options);

/** The checkpoints in a run's folder. */
export const checkpointsOf = (folder: RunFolder, config: RunConfig, { model, dataset }: Training): Checkpoints =>
  openCheckpoints(folder.checkpoints, model, { config, dataSha256: dataset.sha256 });

async function started({ config, out, training }: RunStartOptions): Promise<RunStart> {
  const existed = await exists(out);
  const folder = await createRunFolder(out, formatRunConfig(config));
  try {
    await writeOrigin(folder, dataOrigin(training.dataset), deviceOf(training));
  } catch (error) {
    await removeStart(folder, existed);
    throw error;
  }
  return { folder, state: initialTrainState(training.model, config.seed) };
}

/** Takes back what a start wrote, and the folder too unless it was there before. */
export async function removeStart(folder: RunFolder, existed: boolean): Promise<void> {
  const { path, ...inside } = folder;
  for (const target of existed ? Object.values(inside) : [path]) await rm(target, { recursive: true, force: true });
}

async function resumed({ config, out, training, logger = silentLogger }: RunStartOptions): Promise<RunStart> {
  const folder = await openRunFolder(out);
  const last = await checkpointsOf(folder, config, training).load("last");
  if (!last) logger.warn("no checkpoint yet: training starts at the first step", { run: out });
  await writeFileAtomic(folder.config, formatRunConfig(config));
  if (await exists(folder.environment)) await warnOfDevice(folder, training, logger);
  else await writeOrigin(folder, dataOrigin(training.dataset), deviceOf(training)); // killed before it was
  return { folder, state: last ?? initialTrainState(training.model, config.seed) };
}

const deviceOf = ({ replica }: Training): ComputeDevice => replica.device ?? { kind: "cpu" };

/** `engine.device: auto` may choose another device on another machine, and then ends with other bits. */
async function warnOfDevice(folder: RunFolder, training: Training, logger: Logger): Promise<void> {
  const [before, now] = [await readDevice(folder), deviceText(deviceOf(training))];
  if (before !== undefined && before !== now) logger.warn("run.deviceChanged", { run: folder.path, before, now });
}
