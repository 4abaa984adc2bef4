export { EngineConfig } from "./config.ts";
export { openReplica } from "./replica.ts";
