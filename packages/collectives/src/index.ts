export type { Assignment } from "./assignment.ts";
export { assignment, evenShares } from "./assignment.ts";
export type {
  AddInPlace,
  CallKind,
  CallMetrics,
  Collective,
  CollectiveOptions,
  Subtree,
  Traffic,
} from "./collective.ts";
export { deleteGeneration, deleteRun } from "./commit/clean-up.ts";
export type {
  CommitOutcome,
  CommitProposal,
  Committed,
  Generation,
  GenerationName,
  GenerationOutcome,
  GenerationProposal,
} from "./commit/commit-log.ts";
export { CommitLog } from "./commit/commit-log.ts";
export type { Marker } from "./commit/marker.ts";
export { compareMarkers, markerName, parseMarker } from "./commit/marker.ts";
export { ClusterConfig } from "./config.ts";
export type { LocalHub, LocalHubOptions } from "./local/local-hub.ts";
export { openLocalHub } from "./local/local-hub.ts";
export { joinLocal, openLocalGroup } from "./local/local-member.ts";
export type { LocalSeat } from "./local/local-messages.ts";
export type { LoneCollectiveOptions } from "./lone-collective.ts";
export { openLoneCollective } from "./lone-collective.ts";
export type { ProtocolHook, ProtocolPoint } from "./protocol-point.ts";
export { PROTOCOL_POINTS } from "./protocol-point.ts";
export type { RedisCollectiveOptions } from "./redis/redis-collective.ts";
export { openRedisCollective } from "./redis/redis-collective.ts";
export { wholeSubtrees } from "./subtree.ts";
export type { ClosedRange, SubtreeSumOptions } from "./subtree-sum.ts";
export { SubtreeSum } from "./subtree-sum.ts";
