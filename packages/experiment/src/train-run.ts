import { rm } from "node:fs/promises";
import type { ComputeDevice, Logger, TrainState } from "@gmc/core";
import { CancelledError, initialTrainState, silentLogger, UsageError, weightsSha256 } from "@gmc/core";
import type { RunFolder } from "@gmc/storage";
import {
  appendMetrics,
  createRunFolder,
  exists,
  openRunFolder,
  trimMetrics,
  writeFileAtomic,
  writeJson,
} from "@gmc/storage";
import type { Checkpoints, EpochReport, StepProgress, TrainResult } from "@gmc/trainer";
import { openCheckpoints, train } from "@gmc/trainer";
import type { RunConfig } from "./run-config.ts";
import { formatRunConfig } from "./run-config.ts";
import { dataOrigin, readDevice, writeOrigin } from "./run-origin.ts";
import type { LongCall, RunProgress } from "./run-progress.ts";
import type { RunRecord } from "./run-record.ts";
import { readRunRecord } from "./run-record.ts";
import type { Training } from "./training.ts";
import { openTraining } from "./training.ts";

export interface TrainRunOptions extends LongCall {
  readonly config: RunConfig;
  /** The run's folder: new, or with `resume` an existing run's. */
  readonly out: string;
  /** Goes on from the last checkpoint, or from the start where there is none yet. */
  readonly resume?: boolean;
}

/**
 * A whole training run in a folder of its own: config, environment, metrics, checkpoints, record. When `signal` fires, a
 * checkpoint is saved and the record's status is "stopped"; a resumed run ends with the bits of one that never stopped.
 * A start that fails leaves no folder behind.
 *
 * @throws {UsageError} when `out` is a run already, or with `resume` is none
 * @throws {CheckpointError} when a resume's config or data are not the run's
 */
export async function trainRun(options: TrainRunOptions): Promise<RunRecord> {
  const { config, out, resume = false } = options;
  if (resume) await openRunFolder(out);
  else await refuseExisting(out);
  const training = await openTraining(config, options.logger);
  try {
    return await (resume ? resumed(options, training) : started(options, training));
  } finally {
    await training.close();
  }
}

async function refuseExisting(out: string): Promise<void> {
  const run = await openRunFolder(out).catch(() => undefined);
  if (run)
    throw new UsageError(`${out} already holds a run; add --resume to go on with it, or name another folder.`, {
      run: out,
    });
}

async function started(options: TrainRunOptions, training: Training): Promise<RunRecord> {
  const { config, out, signal } = options;
  if (signal?.aborted) throw new CancelledError("Stopped before training began; nothing was written.");
  const existed = await exists(out);
  const folder = await createRunFolder(out, formatRunConfig(config));
  const begun = { steps: 0 };
  try {
    await writeOrigin(folder, dataOrigin(training.dataset), deviceOf(training));
    return await trained(options, training, folder, initialTrainState(training.model, config.seed), begun);
  } catch (error) {
    if (begun.steps === 0) await removeStart(folder, existed);
    throw error;
  }
}

async function resumed(options: TrainRunOptions, training: Training): Promise<RunRecord> {
  const { config, out, logger = silentLogger } = options;
  const folder = await openRunFolder(out);
  const last = await checkpointsOf(folder, config, training).load("last");
  if (!last) logger.warn("no checkpoint yet: training starts at the first step", { run: out });
  const state = last ?? initialTrainState(training.model, config.seed);
  await trimMetrics(folder, ({ step }) => typeof step === "number" && step <= state.step);
  await writeFileAtomic(folder.config, formatRunConfig(config));
  if (await exists(folder.environment)) await warnOfDevice(folder, training, logger);
  else await writeOrigin(folder, dataOrigin(training.dataset), deviceOf(training)); // killed before it was
  return trained(options, training, folder, state);
}

const deviceOf = ({ replica }: Training): ComputeDevice => replica.device ?? { kind: "cpu" };

/** `engine.device: auto` may choose another device on another machine, and then ends with other bits. */
async function warnOfDevice(folder: RunFolder, training: Training, logger: Logger): Promise<void> {
  const [before, now] = [await readDevice(folder), deviceOf(training).kind];
  if (before !== undefined && before !== now) logger.warn("run.deviceChanged", { run: folder.path, before, now });
}

async function trained(
  options: TrainRunOptions,
  training: Training,
  folder: RunFolder,
  state: TrainState,
  begun = { steps: 0 },
): Promise<RunRecord> {
  const { config, signal, logger, onProgress } = options;
  const { model, replica, source, validation } = training;
  const result = await train({
    model,
    replica,
    source,
    config: config.training,
    seed: config.seed,
    state,
    checkpoints: checkpointsOf(folder, config, training),
    ...(validation && { validation }),
    onStep: (step) => {
      begun.steps++;
      onProgress?.(stepProgress(step, config));
    },
    onEpoch: (epoch) => onProgress?.(epochProgress(epoch, config)),
    onMetrics: (line) => appendMetrics(folder, { ...line }),
    ...(signal && { signal }),
    ...(logger && { logger }),
  });
  const sha256 = weightsSha256(model, result.state);
  const earlier = result.steps === state.step ? await readRunRecord(folder) : undefined;
  if (earlier?.weightsSha256 === sha256 && earlier.status === result.status) return earlier; // nothing was left to do
  const record = recordOf(options.out, result, sha256);
  await writeJson(folder.record, record);
  return record;
}

const checkpointsOf = (folder: RunFolder, config: RunConfig, { model, dataset }: Training): Checkpoints =>
  openCheckpoints(folder.checkpoints, model, { config, dataSha256: dataset.sha256 });

const recordOf = (run: string, result: TrainResult, sha256: string): RunRecord => ({
  run,
  status: result.status,
  steps: result.steps,
  epochs: result.epochs,
  wallSeconds: result.wallSeconds,
  samplesPerSecond: result.samplesPerSecond,
  finalLoss: result.finalLoss,
  weightsSha256: sha256,
});

const stepProgress = (step: StepProgress, { training }: RunConfig): RunProgress => ({
  phase: "train",
  step: step.step,
  steps: step.totalSteps,
  epoch: step.epoch,
  epochs: step.epochs,
  loss: step.recentLoss,
  batchSize: training.batchSize,
});

const epochProgress = (report: EpochReport, { training }: RunConfig): RunProgress => ({
  phase: "epoch",
  epoch: report.epoch,
  epochs: training.epochs,
  loss: report.loss,
  ...(report.validationLoss === undefined ? {} : { validationLoss: report.validationLoss }),
});

/** Takes back what a start wrote, and the folder too unless it was there before. */
async function removeStart(folder: RunFolder, existed: boolean): Promise<void> {
  const { path, ...inside } = folder;
  for (const target of existed ? Object.values(inside) : [path]) await rm(target, { recursive: true, force: true });
}
