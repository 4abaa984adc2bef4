import type { JudgedRun, Judgement, RunConfig, RunRecord } from "@gmc/experiment";
import type { Job } from "bullmq";

/** One configuration to train, as it is submitted. */
export interface TrainJob {
  readonly config: RunConfig;
  /** The run's folder, as the workers see it; a relative one starts at each worker's working folder. */
  readonly out: string;
  /** Goes on from the last checkpoint in `out`; "if-there": where there is a run already, else it begins. */
  readonly resume?: boolean | "if-there";
  /** What people call it; default the config's name. */
  readonly name?: string;
  /** What is found out about the run when it has been trained; default nothing. */
  readonly evaluate?: readonly Judgement[];
  /** Id of a job that has to finish before. */
  readonly after?: string;
  /** The run begins with `min` workers, takes up to `max`, and goes on with one. Default 1 and as many as there are shards. */
  readonly workers?: { readonly min: number; readonly max: number };
  /** Lower is earlier, from 1; default after all that have one. */
  readonly priority?: number;
}

/** The data of a job in the queue. Its id is the run's id. */
export interface TrainJobData {
  /** JSON of the config. */
  readonly config: unknown;
  readonly name: string;
  readonly out: string;
  readonly resume: boolean | "if-there";
  readonly evaluate?: readonly Judgement[];
  readonly after?: string;
  readonly workers: { readonly min: number; readonly max: number };
  /** What somebody wants of a job that is under way. */
  readonly request?: "cancel" | "pause";
  /** It was paused and waits to be resumed. */
  readonly paused?: boolean;
}

/** What a job ends with: the run's record, and what was found out about it. */
export type TrainJobResult = RunRecord & JudgedRun;

/** A job as the queue has it. */
export type TrainQueueJob = Job<TrainJobData, TrainJobResult, "train">;
