import type { Logger } from "@gmc/core";
import { Coordinator } from "./coordinator.ts";

/** Times in ms; tests take shorter ones. */
export interface CoordinatorTiming {
  /** As the workers have it. Default 3000. */
  readonly ttlMs: number;
  /** Between looks at the workers. Default 250. */
  readonly tickMs: number;
  /** A coordinator that is silent for so long is followed by another. Default 5000. */
  readonly leaseMs: number;
}

export interface CoordinatorOptions {
  /** URL of the control Redis. */
  readonly redis: string;
  /** URLs of the reduce role, as the workers reach them; none: the control server. */
  readonly reduce?: readonly string[];
  readonly logger?: Logger;
  readonly timing?: Partial<CoordinatorTiming>;
  /** Runs conducted at a time. Default 64. */
  readonly runs?: number;
}

/** A coordinator under way. */
export interface RunningCoordinator {
  /** Resolves once it is connected, leading or standing by. @throws {EnvironmentError} when Redis cannot be reached at the start */
  readonly ready: Promise<void>;
  /** Resolves when it has ended: after `close`. Rejects with what `ready` rejects with. */
  readonly done: Promise<void>;
  /** Hands over: runs go on, and the next coordinator adopts them. */
  close(): Promise<void>;
}

/** Conducts the jobs of a cluster, or stands by while another coordinator does. */
export function runCoordinator(options: CoordinatorOptions): RunningCoordinator {
  return new Coordinator(options);
}
