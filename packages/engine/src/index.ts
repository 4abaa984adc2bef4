export { EngineConfig } from "./config.ts";
export type { ContrastiveShape, GlobalLoss } from "./kernels/contrastive-loss.ts";
export { contrastiveLoss } from "./kernels/contrastive-loss.ts";
export { openReplica } from "./replica.ts";
