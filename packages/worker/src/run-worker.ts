import type { ProtocolHook } from "@gmc/collectives";
import type { Logger } from "@gmc/core";
import type { RunConfig, Training } from "@gmc/experiment";
import type { WorkerReport } from "@gmc/protocol";
import type { WorkerFacts } from "./describe-worker.ts";
import type { RunStore } from "./stored-run.ts";
import { Worker } from "./worker.ts";

/** Times in ms; the defaults are for a network, tests take shorter ones. */
export interface WorkerTiming {
  /** A worker that is silent for so long is given up. Default 3000. */
  readonly ttlMs: number;
  /** Between heartbeats. Default 500. */
  readonly beatMs: number;
  /** How long `close` waits to be let go. Default 15000. */
  readonly leaveMs: number;
}

export interface WorkerOptions {
  /** URL of the control Redis. */
  readonly redis: string;
  /** Unique among the workers of a cluster; default host, process and a random word. */
  readonly id?: string;
  /** Threads that compute, in place of the config's; the results do not depend on it. */
  readonly threads?: number;
  readonly logger?: Logger;
  readonly timing?: Partial<WorkerTiming>;
  /** Where runs are kept; absent: in a folder that all workers share. With it a run's `out` is a name there. */
  readonly store?: RunStore;
  /** Called at the named points of the protocol; for tests that stop there. */
  readonly hook?: ProtocolHook;
  /** How data and model of a run are opened; default `openTraining`, and every byte of the data is verified. */
  readonly open?: OpenTraining;
  /** What the worker says of itself; default facts about this process and machine. */
  readonly describe?: (id: string, threads?: number) => Promise<WorkerFacts>;
}

export type OpenTraining = (config: RunConfig, logger?: Logger, signal?: AbortSignal) => Promise<Training>;

export interface WorkerHealth {
  /** Since its last heartbeat that Redis took; infinite before the first. */
  readonly sinceBeatMs: number;
  /** False when the cluster must take it for dead. */
  readonly isHealthy: boolean;
  /** What it says of itself; absent before the first heartbeat. */
  readonly report?: WorkerReport;
}

/** A worker under way. */
export interface RunningWorker {
  readonly id: string;
  /**
   * Resolves once it is registered.
   *
   * @throws {EnvironmentError} when Redis cannot be reached at the start
   * @throws {UsageError} when another worker has this id
   */
  readonly ready: Promise<void>;
  /** Resolves when it has ended: after `close`. Rejects when it cannot go on. */
  readonly done: Promise<void>;
  /** How it is right now. */
  readonly health: WorkerHealth;
  /** Leaves in good order: asks to be let go, hands the step over, ends. May be called twice. */
  close(): Promise<void>;
}

/** Registers with a cluster and does what its coordinator assigns until it is closed. Redis may come and go. */
export function runWorker(options: WorkerOptions): RunningWorker {
  return new Worker(options);
}
