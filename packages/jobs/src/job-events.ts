import type { EncodedError } from "@gmc/core";
import type { MemberProgress } from "@gmc/protocol";
import type { TrainJobResult } from "./train-job.ts";

/** A worker's share of a run. */
export interface JobMember {
  readonly worker: string;
  readonly host: string;
  readonly shards: readonly number[];
}

/** What is worth remembering of a job's course. */
export type JobNews =
  | { readonly event: "waiting"; readonly reason: string }
  /** Training begins: the first generation of this run, or of this attempt. */
  | { readonly event: "started"; readonly generation: number; readonly members: readonly JobMember[] }
  /** Others train on; `cause` says why. */
  | {
      readonly event: "generation";
      readonly generation: number;
      readonly members: readonly JobMember[];
      readonly cause: string;
    }
  /** A worker does not take part. */
  | { readonly event: "refused"; readonly worker: string; readonly host: string; readonly error: EncodedError }
  | {
      readonly event: "epoch";
      readonly epoch: number;
      readonly epochs: number;
      readonly loss: number;
      readonly validationLoss?: number;
    };

/** What `watchJob` gives, in order; `completed` or `failed` is the last. */
export type JobEvent =
  | JobNews
  | ({ readonly event: "progress" } & MemberProgress)
  /** `record.status` says whether training finished or was stopped by a cancel. */
  | { readonly event: "completed"; readonly record: TrainJobResult }
  | { readonly event: "failed"; readonly error: EncodedError };

/** What the coordinator writes as the job's progress. */
export interface JobReport {
  /** Number of the first of `news`. */
  readonly first: number;
  /** The latest, oldest first. */
  readonly news: readonly JobNews[];
  readonly progress?: MemberProgress;
  readonly members: readonly JobMember[];
  readonly generation?: number;
  /** Set when the job has failed, before the run's keys go. */
  readonly error?: EncodedError;
  /** So many attempts were over when this was told: an error of another attempt is no news. */
  readonly attempt?: number;
  /** Set when the run has finished, before its keys go: the queue may give the job to a coordinator once more. */
  readonly result?: TrainJobResult;
}
