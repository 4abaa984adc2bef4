import type { EncodedError } from "@gmc/core";

/** What a worker says of itself with every heartbeat. */
export interface WorkerReport {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** What computes: "cpu", or a graphics card's name. */
  readonly device: string;
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
  /** What decides the bits of a run on this machine, whatever the run: see `TaskReport.bits`. */
  readonly bits: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** `leaving`: wants to go; gets no more work and is taken out of what it does. */
  readonly state: "idle" | "busy" | "leaving";
  /** What it does about its assignment; absent while it has none. */
  readonly task?: TaskReport;
}

/** How a worker stands with the run that it was assigned to. */
export interface TaskReport {
  readonly run: string;
  /**
   * `preparing`: opens data and model. `ready`: waits for a generation. `training`: takes part in `generation`.
   * `ended`: took part in `generation`, `outcome` says how that ended; it keeps its state for the next one.
   * `refused`: cannot take part, `error` says why.
   */
  readonly stage: "preparing" | "ready" | "training" | "ended" | "refused";
  readonly generation?: string;
  /** Of the data set that it sees; from "ready" on. */
  readonly dataSha256?: string;
  /**
   * Everything that decides the bits beside config, seed and data, as one text: the worker's `bits`, ";", and the device
   * that computes this run. Equal texts, equal bits. From "ready" on.
   */
  readonly bits?: string;
  /** Name of the last marker that it knows to be committed; absent where there is none. */
  readonly applied?: string;
  /**
   * `interrupted`: the next generation can go on. `failed`: every worker would fail so.
   */
  readonly outcome?: "done" | "interrupted" | "failed";
  readonly error?: EncodedError;
  readonly progress?: MemberProgress;
}

/** How far a run is, as one member sees it. */
export interface MemberProgress {
  /** Steps of the whole run, done and wanted. */
  readonly step: number;
  readonly steps: number;
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Mean over the last steps. */
  readonly loss: number;
  readonly batchSize: number;
  /** Of the whole group, over the last steps. */
  readonly samplesPerSecond: number;
  /** Mean ms a step that gradients were reduced and blocks gathered, partly while something else was computed. */
  readonly reduceMs?: number;
  readonly gatherMs?: number;
  /** Training has ended, and the first rank evaluates. */
  readonly evaluating?: true;
  /** The latest closed epochs, oldest first. */
  readonly closed?: readonly ClosedEpoch[];
}

export interface ClosedEpoch {
  /** From 1. */
  readonly epoch: number;
  readonly loss: number;
  readonly validationLoss?: number;
}

/**
 * What a coordinator tells a worker: nothing to do (`run` null), get ready for a run (`generation` null), or take part in a
 * generation whose plan names it. It stands until another one replaces it.
 */
export type WorkerAssignment =
  | { readonly run: null }
  | { readonly run: string; readonly generation: string | null; readonly job: RunJob };

/** A run as it was submitted. */
export interface RunJob {
  /** JSON of the run's config. */
  readonly config: unknown;
  /** The run's folder, as each process sees it. */
  readonly out: string;
  /** `if-there`: goes on where the folder has a run already, else begins one. */
  readonly resume: boolean | "if-there";
  /** What the first rank finds out about the run when it has been trained: names of judgements. */
  readonly evaluate?: readonly string[];
}

/** What the members of a generation must agree on; it lies in the commit log's record. */
export interface GenerationPlan {
  readonly job: RunJob;
  /** In the order of ranks. */
  readonly members: readonly { readonly worker: string; readonly shards: readonly number[] }[];
  /** URLs of the reduce role; none: the control server, as each worker reaches it. */
  readonly servers: readonly string[];
  readonly dataSha256: string;
  /** `TaskReport.bits` of the run's first workers. */
  readonly bits: string;
  /** `save`: the only member leaves a checkpoint and ends the run. `keep`: it leaves a checkpoint and goes. */
  readonly action: "train" | "save" | "keep";
  /** Why there is this generation, for people. */
  readonly cause: string;
}

/** What the first rank leaves when a run has ended: JSON of its record, and of what it found out about the run. */
export interface RunResult {
  readonly record: unknown;
}
