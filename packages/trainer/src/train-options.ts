import type { Collective } from "@gmc/collectives";
import type { Logger, Model, Replica, TrainState } from "@gmc/core";
import type { BatchSource } from "@gmc/data";
import type { Checkpoints } from "./checkpoints.ts";
import type { TrainingConfig } from "./config.ts";
import type { StepExchange } from "./scope-calls.ts";
import type { StepGroup } from "./step-group.ts";

/** What a progress bar shows after a step. */
export interface StepProgress {
  /** Counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Committed steps of the whole run, also after a resume. */
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly loss: number;
  readonly contrastive: number;
  readonly local: number;
  /** Mean of the last 50 steps. */
  readonly recentLoss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  /** Over the last 50 steps. */
  readonly samplesPerSecond: number;
  /** Until the last step at the recent speed, when nothing stops the run before. */
  readonly secondsLeft: number;
  /** Since this call began. */
  readonly wallSeconds: number;
  /** What the step spent on its group; absent alone. */
  readonly exchange?: StepExchange;
}

/** A closed epoch. */
export interface EpochReport {
  /** Counted from 1. */
  readonly epoch: number;
  readonly step: number;
  /** Mean training loss. */
  readonly loss: number;
  readonly validationLoss?: number;
  /** True when the monitored loss is the lowest so far. */
  readonly improved: boolean;
  readonly learningRate: number;
  readonly samplesPerSecond: number;
  readonly wallSeconds: number;
}

/** One line of `metrics.jsonl`. */
export type MetricsLine =
  | ({ readonly event: "step" } & Pick<
      StepProgress,
      | "step"
      | "epoch"
      | "loss"
      | "contrastive"
      | "local"
      | "learningRate"
      | "gradientNorm"
      | "samplesPerSecond"
      | "wallSeconds"
    > &
      Partial<StepExchange>)
  | ({ readonly event: "epoch" } & EpochReport);

/** `interrupted`: the group is over; the state is that of the last committed marker, and another group goes on from it. */
export type TrainStatus = "finished" | "stopped" | "early-stopped" | "interrupted";

/** What `train` needs. */
export interface TrainOptions {
  readonly model: Model;
  readonly replica: Replica;
  /** Batches of the shards that this worker owns; alone, of all. */
  readonly source: BatchSource;
  readonly config: TrainingConfig;
  readonly seed: number;
  /** Where to begin: `initialTrainState`, a checkpoint's, or another worker's; the same on every worker of a group. */
  readonly state: TrainState;
  /** The workers that train together, in this generation; absent: alone. */
  readonly group?: StepGroup;
  /** How gradients are rounded alone; a group's collective says it itself. Default fp32. */
  readonly wire?: Collective["wire"];
  /** Where to save; absent: nowhere. One worker of a group saves. */
  readonly checkpoints?: Checkpoints;
  /** Batches of the held-out samples, of the shards that this worker owns. */
  readonly validation?: BatchSource;
  readonly onStep?: (progress: StepProgress) => void;
  readonly onEpoch?: (report: EpochReport) => void | Promise<void>;
  /** Called for one step in `config.metrics.everySteps` and for every epoch. */
  readonly onMetrics?: (line: MetricsLine) => void | Promise<void>;
  /**
   * Finishes the step under way, saves a checkpoint and returns with status "stopped". Does not wait for a group: a step
   * that does is given up.
   */
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  /** Milliseconds of a steady clock; for tests. */
  readonly now?: () => number;
}

/** How a call of `train` ended. */
export interface TrainResult {
  readonly status: TrainStatus;
  readonly state: TrainState;
  /** Why it was interrupted. */
  readonly cause?: Error;
  /** Committed steps of the whole run. */
  readonly steps: number;
  /** Closed epochs of the whole run. */
  readonly epochs: number;
  /** Mean training loss of every closed epoch of the whole run. */
  readonly lossPerEpoch: readonly number[];
  /** Mean of the last closed epoch; before the first is closed, of the steps so far; null before the first step. */
  readonly finalLoss: number | null;
  /** Of this call. */
  readonly wallSeconds: number;
  /** Of this call, over the time of its steps and their waits for data, without validation and checkpoints. */
  readonly samplesPerSecond: number;
  /** Means over this call's steps; absent alone, and without a step. */
  readonly exchange?: StepExchange;
}
