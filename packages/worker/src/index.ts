export type { WorkerFacts } from "./describe-worker.ts";
export { bitsOf, describeWorker } from "./describe-worker.ts";
export { workerHttp } from "./http/worker-http.ts";
export { coreShares, onCores, reduceServers, workerEnvironment } from "./one-machine.ts";
export type { OpenTraining, RunningWorker, WorkerHealth, WorkerOptions, WorkerTiming } from "./run-worker.ts";
export { runWorker } from "./run-worker.ts";
export type { RunStore } from "./stored-run.ts";
