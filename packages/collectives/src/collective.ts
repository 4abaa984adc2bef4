import type { Range } from "@gmc/core";
import type { WireFormat } from "@gmc/protocol";

/** Shards [start, end) that are one whole node of the tree over all shards. */
export type Subtree = Range;

/** sum += term, each element rounded to float32; two ranges of one length. */
export type AddInPlace = (sum: Float32Array, term: Float32Array) => void;

/**
 * Group communication of one run. Calls are matched by `tag`, contributions are keyed by shard, not by worker: the
 * results are the same bits whoever owns which shards, whatever arrives when. Every worker makes every call, in any
 * order and any number at once.
 *
 * A tag is "scope/name" (a step and what is exchanged in it) and is used once until the scope is released. What a call
 * is given must not change before it settles; then it is the caller's again, also after a failure.
 */
export interface Collective {
  readonly rank: number;
  /** The shards of every rank. */
  readonly shardsOfWorkers: readonly (readonly number[])[];
  /** How gradients travel; every shard's and every node of the tree is rounded to it, on one worker too. */
  readonly wire: WireFormat;
  /** What its calls have moved and computed since it was opened. */
  readonly traffic: Traffic;
  /**
   * All V shards' blocks, one after another in shard order: bits are moved, not numbers (fp32 always).
   *
   * @param own   the blocks of this worker's shards; all shards' blocks have one length
   * @param into  [V · length] receives them; without it a new array does
   * @throws {PeerLostError} on a silent worker
   * @throws {StaleGenerationError} when the group's generation is over
   * @throws {CancelledError} when `signal` fires or the collective is closed
   * @throws {ShapeError} when shards differ in length
   */
  gather(
    tag: string,
    own: ReadonlyMap<number, Float32Array>,
    signal?: AbortSignal,
    into?: Float32Array,
  ): Promise<Float32Array>;
  /**
   * Tree sum over all shards of one vector (a range of a larger one, say), to everyone. Every node is rounded to float32,
   * and to bfloat16 where that is the wire's format; so is what `own` gives.
   *
   * @param own   the sums of this worker's whole subtrees: exactly the ones of `wholeSubtrees`
   * @param into  [length] receives the sum; without it a new array does. Not where `own` lies
   * @param add   adds float32 where `own` and `into` lie, better than a copy elsewhere can
   * @throws as `gather`
   */
  reduce(
    tag: string,
    own: ReadonlyMap<Subtree, Float32Array>,
    signal?: AbortSignal,
    into?: Float32Array,
    add?: AddInPlace,
  ): Promise<Float32Array>;
  /**
   * One rank's values, to everyone: bits are moved. The length may be known to that rank alone.
   *
   * @param rank    who gives them, the same on every worker
   * @param values  on that rank, and on no other
   * @returns       `values` on that rank, a new array on the others
   * @throws as `gather`; {TypeError} when the values are missing, or given by another rank
   */
  broadcast(tag: string, rank: number, values: Float32Array | undefined, signal?: AbortSignal): Promise<Float32Array>;
  /**
   * Says that this worker needs nothing under `scope` any more. What was exchanged stays readable until all have said so.
   */
  release(scope: string): Promise<void>;
  close(): Promise<void>;
}

export type CallKind = "gather" | "reduce" | "broadcast";

/** Sums over calls that have ended well. */
export interface Traffic {
  readonly calls: number;
  /** Bytes written to and read from other workers or Redis, headers included. */
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** This thread packed, summed and unpacked. */
  readonly computeMs: number;
}

export const NO_TRAFFIC: Traffic = { calls: 0, bytesOut: 0, bytesIn: 0, computeMs: 0 };

/** The sums after one more call. */
export const addTraffic = (sum: Traffic, { bytesOut, bytesIn, computeMs }: CallMetrics): Traffic => ({
  calls: sum.calls + 1,
  bytesOut: sum.bytesOut + bytesOut,
  bytesIn: sum.bytesIn + bytesIn,
  computeMs: sum.computeMs + computeMs,
});

/** What one call did; times in ms from its start. */
export interface CallMetrics {
  readonly call: CallKind;
  readonly tag: string;
  /** Bytes written to and read from other workers or Redis, headers included. */
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** Own contributions were taken by the servers. */
  readonly sentMs: number;
  /** Own chunks were summed and given to all; equal to `sentMs` for other calls. */
  readonly summedMs: number;
  /** Everything was here. */
  readonly totalMs: number;
  /** Of that, this thread packed, summed and unpacked. */
  readonly computeMs: number;
}

/** What implementations share. */
export interface CollectiveOptions {
  readonly wire?: WireFormat;
  /** A call that waits longer for a worker gives it up. */
  readonly timeoutMs?: number;
  readonly onMetrics?: (metrics: CallMetrics) => void;
}

export const DEFAULT_TIMEOUT_MS = 60_000;
