import { CancelledError, UsageError } from "@gmc/core";
import { exists, openRunFolder } from "@gmc/storage";
import type { RunConfig } from "./run-config.ts";
import type { LongCall, RunProgress } from "./run-progress.ts";
import type { RunRecord } from "./run-record.ts";
import type { RunStart } from "./run-start.ts";
import { openRunFolderFor, removeStart } from "./run-start.ts";
import { trainMember } from "./train-member.ts";
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
  const { config, out, resume = false, logger } = options;
  if (resume) await openRunFolder(out);
  else await refuseExisting(out);
  const training = await openTraining(config, logger, { signal: options.signal });
  const start = { config, out, resume, training, ...(logger && { logger }) };
  try {
    if (resume) return await trained(options, training, await openRunFolderFor(start));
    if (options.signal?.aborted) throw new CancelledError("Stopped before training began; nothing was written.");
    return await newRun(options, training, await exists(out), () => openRunFolderFor(start));
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

/** Takes the start back when nothing has come of it. */
async function newRun(
  options: TrainRunOptions,
  training: Training,
  existed: boolean,
  open: () => Promise<RunStart>,
): Promise<RunRecord> {
  const begun = { steps: 0 };
  const onProgress = (progress: RunProgress): void => {
    begun.steps++;
    options.onProgress?.(progress);
  };
  const start = await open();
  try {
    return await trained({ ...options, onProgress }, training, start);
  } catch (error) {
    if (begun.steps === 0) await removeStart(start.folder, existed);
    throw error;
  }
}

async function trained(options: TrainRunOptions, training: Training, { folder, state }: RunStart): Promise<RunRecord> {
  const { out, resume: _, ...call } = options;
  const { record, status } = await trainMember({ ...call, training, folder, state, run: out });
  if (record) return record;
  throw new Error(`Training alone ended ${status} and without a record.`);
}
