export type { CheckpointKind, Checkpoints } from "./checkpoints.ts";
export { openCheckpoints, readCheckpoint } from "./checkpoints.ts";
export { checkTrainingConfig, TrainingConfig } from "./config.ts";
export { packTrainState, unpackTrainState } from "./packed-state.ts";
export type { RandomInputs } from "./random-inputs.ts";
export { randomInputs } from "./random-inputs.ts";
export type { RunIdentity } from "./run-identity.ts";
export { checkSameRun, differingPaths, RESUME_MAY_CHANGE } from "./run-identity.ts";
export { learningRateAt } from "./schedule.ts";
export type { StepExchange } from "./scope-calls.ts";
export type { StepReport } from "./step.ts";
export { batchLoss, trainStep } from "./step.ts";
export type { StepContext, StepContextOptions } from "./step-context.ts";
export { stepContext } from "./step-context.ts";
export type { StepGroup } from "./step-group.ts";
export { markerOf } from "./step-group.ts";
export { train } from "./train.ts";
export type {
  EpochReport,
  MetricsLine,
  StepProgress,
  TrainOptions,
  TrainResult,
  TrainStatus,
} from "./train-options.ts";
export { validationLoss } from "./validate.ts";
