export { clusterKeys } from "./cluster-keys.ts";
export type {
  ClosedEpoch,
  GenerationPlan,
  MemberProgress,
  RunJob,
  RunResult,
  TaskReport,
  WorkerAssignment,
  WorkerReport,
} from "./cluster-messages.ts";
export type { ScalarEvent } from "./event-file.ts";
export { decodeEventFile, encodeEventFile } from "./event-file.ts";
export { endsTheRun } from "./failures.ts";
export type { FloatBlocks } from "./float-blocks.ts";
export { BLOCK_LENGTH, floatBlocks } from "./float-blocks.ts";
export { addVectors, packVector, roundVector, unpackVector } from "./float-vectors.ts";
export { jobNames } from "./job-names.ts";
export type { ValueHead, ValueHeader, ValueKind } from "./message.ts";
export { decodeHead, decodeValue, encodeHeader, payloadBytes } from "./message.ts";
export type { GenerationKeys, RunKeys } from "./run-keys.ts";
export { runKeys } from "./run-keys.ts";
export type { WireFormat } from "./wire-format.ts";
export { wireBytes } from "./wire-format.ts";
