import type { Logger } from "@gmc/core";

/** What a long call tells while it works. */
export type RunProgress =
  | {
      /** After every training step. */
      readonly phase: "train";
      /** Steps of the whole run, done and wanted. */
      readonly step: number;
      readonly steps: number;
      /** From 1. */
      readonly epoch: number;
      readonly epochs: number;
      /** Mean over the last steps. */
      readonly loss: number;
      readonly batchSize: number;
      /** Over the last steps. */
      readonly samplesPerSecond: number;
      /** What the step spent on its group; absent alone. */
      readonly reduceMs?: number;
      readonly gatherMs?: number;
    }
  | {
      /** After every epoch. */
      readonly phase: "epoch";
      readonly epoch: number;
      readonly epochs: number;
      readonly loss: number;
      readonly validationLoss?: number;
    }
  | {
      /** Anything else that counts up: encoding, training a classifier. */
      readonly phase: "task";
      readonly label: string;
      readonly done: number;
      readonly total: number;
      /** What stands beside the count: "image, 1 of 4". */
      readonly detail?: string;
    };

/** What long calls of this package share. */
export interface LongCall {
  /** Stops the work in good order; what was done is saved where there is a run to save it in. */
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  readonly onProgress?: (progress: RunProgress) => void;
}
