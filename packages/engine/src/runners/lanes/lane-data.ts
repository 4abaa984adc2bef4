import type { MessagePort } from "node:worker_threads";
import type { BoardPlan } from "./board.ts";

/** A run of a session on bound tensors, by addresses: everything stays where the thread that bound it keeps it. */
export interface NativeCall {
  readonly session: bigint;
  readonly inputNames: bigint;
  readonly inputs: bigint;
  readonly inputCount: number;
  readonly outputNames: bigint;
  readonly outputs: bigint;
  readonly outputCount: number;
}

/** What a lane is started with. */
export interface LaneData {
  /** Of the board. */
  readonly memory: SharedArrayBuffer;
  /** Brings `LaneMessage`s, takes `LaneFailure`s. */
  readonly port: MessagePort;
  readonly lane: number;
}

/** Tasks that run together, as every lane is told once. */
export interface LanePlan extends BoardPlan {
  /** By task. */
  readonly calls: readonly NativeCall[];
}

/** To a lane: a plan, or the number of one that will not run again. */
export type LaneMessage = LanePlan | { readonly forget: number };

/** From a lane: why a task failed. */
export interface LaneFailure {
  readonly plan: number;
  readonly task: number;
  readonly error: string;
}
