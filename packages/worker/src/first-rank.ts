import { join } from "node:path";
import type { CommitLog, Generation } from "@gmc/collectives";
import type { Logger, TrainState } from "@gmc/core";
import { StaleGenerationError } from "@gmc/core";
import type { RunConfig, RunRecord, Training } from "@gmc/experiment";
import { checkpointsOf, openRunFolderFor } from "@gmc/experiment";
import type { GenerationPlan } from "@gmc/protocol";
import type { RunFolder } from "@gmc/storage";
import { exists, openRunFolder } from "@gmc/storage";
import type { Checkpoints } from "@gmc/trainer";
import type { RunStore } from "./stored-run.ts";
import { StoredRun } from "./stored-run.ts";

export interface FirstRankOptions {
  readonly log: CommitLog;
  readonly generation: Generation;
  readonly plan: GenerationPlan;
  readonly training: Training;
  readonly config: RunConfig;
  readonly logger: Logger;
  /** Id of the run. */
  readonly run: string;
  /** Absent: `out` is a folder that all workers share. */
  readonly store?: RunStore;
  /** Remembers, from one generation of this worker to the next, when it had the first rank last. */
  readonly memory: FirstRankMemory;
  readonly signal: AbortSignal;
}

export interface FirstRankMemory {
  /** Number of the generation. */
  last?: number;
}

/** Where the first rank keeps the run, as `trainMember` takes it. */
export interface RunKeeping {
  readonly folder: RunFolder;
  readonly checkpoints: Checkpoints;
  readonly beforeWrite: () => Promise<void>;
  readonly run: string;
  readonly recordOf: (record: RunRecord) => RunRecord;
}

/** The first rank's place: where it keeps the run, and the state to begin with when nobody has anything. */
export interface FirstRank {
  readonly keeping: RunKeeping;
  readonly state: TrainState;
  /** The run's folder, here. */
  readonly path: string;
  /** To be called when everything is in the folder: then it is where the run is kept. */
  readonly finish: () => Promise<void>;
}

/** Opens the run's folder: the state is that of its last checkpoint, or the first one. */
export async function openFirstRank(options: FirstRankOptions, state: TrainState | null): Promise<FirstRank> {
  const { plan, training, config, logger } = options;
  const stored = await pulled(options);
  const out = stored?.folder ?? plan.job.out;
  const isRun = await exists(join(out, "config.yaml"));
  const resume = goesOn(options, isRun);
  const start =
    state && isRun && resume
      ? { folder: await openRunFolder(out), state }
      : await openRunFolderFor({ config, out, resume, training, logger });
  return {
    state: start.state,
    keeping: keepingOf(options, start.folder, stored),
    path: out,
    finish: async () => stored?.finish(),
  };
}

/** A copy of what the store has. A run that is to be new must not take the name from one that is there. */
async function pulled(options: FirstRankOptions): Promise<StoredRun | undefined> {
  const { store, plan, run, generation, logger, signal } = options;
  if (!store) return undefined;
  const stored = new StoredRun({ store, name: plan.job.out, run, generation: generation.number, logger, signal });
  const wasFirst = options.memory.last === generation.number - 1;
  options.memory.last = generation.number;
  if (wasFirst) {
    await stored.send(); // nobody has written since: what is here is more than what is there
    return stored;
  }
  const isNew = !goesOn(options, false) && generation.number === 1;
  if (isNew) await stored.pull(false);
  if (!isNew || !(await exists(join(stored.folder, "config.yaml")))) await stored.pull(true);
  return stored;
}

/** What is there in a later generation was made by an earlier one. */
function goesOn({ plan, generation }: FirstRankOptions, isRun: boolean): boolean {
  const wanted = plan.job.resume === "if-there" ? isRun : plan.job.resume;
  return wanted || (isRun && generation.number > 1);
}

function keepingOf(options: FirstRankOptions, folder: RunFolder, stored: StoredRun | undefined): RunKeeping {
  const { log, generation, plan, training, config } = options;
  const beforeWrite = () => refuseStale(log, generation);
  return {
    folder,
    beforeWrite,
    checkpoints: fenced(checkpointsOf(folder, config, training), beforeWrite, () => stored?.push()),
    run: plan.job.out,
    recordOf: (record) => ({ ...record, workers: plan.members.length, generations: generation.number }),
  };
}

/** A worker that slept must not write over what its successor has written: it asks before. */
async function refuseStale(log: CommitLog, { id }: Generation): Promise<void> {
  const current = await log.generation();
  if (current?.id !== id) throw new StaleGenerationError(id, current?.id ?? null);
}

function fenced(checkpoints: Checkpoints, beforeWrite: () => Promise<void>, onSaved: () => void): Checkpoints {
  return {
    find: (kind) => checkpoints.find(kind),
    stepOf: (kind) => checkpoints.stepOf(kind),
    load: (kind) => checkpoints.load(kind),
    async save(state, kind) {
      await beforeWrite();
      const file = await checkpoints.save(state, kind);
      onSaved();
      return file;
    },
  };
}
