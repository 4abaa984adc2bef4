export { EngineConfig, replicasFor } from "./config.ts";
export type { TrainingFootprint } from "./footprint.ts";
export { trainingFootprint } from "./footprint.ts";
export type { ContrastiveShape, GlobalLoss } from "./kernels/contrastive-loss.ts";
export { contrastiveLoss } from "./kernels/contrastive-loss.ts";
export type { AdamPowers, FlatMemory } from "./kernels/flat-memory.ts";
export { openFlatMemory } from "./kernels/flat-memory.ts";
export { openReplica } from "./replica.ts";
