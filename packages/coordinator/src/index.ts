export type { CoordinatorHttpOptions } from "./http/coordinator-http.ts";
export { CoordinatorHttp } from "./http/coordinator-http.ts";
export type { CoordinatorOptions, CoordinatorTiming, RunningCoordinator } from "./run-coordinator.ts";
export { runCoordinator } from "./run-coordinator.ts";
