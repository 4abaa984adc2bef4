import type { MessagePort } from "node:worker_threads";
import type { EncodedError } from "@gmc/core";
import type { WireFormat } from "@gmc/protocol";
import type { CallKind } from "../collective.ts";

/** A thread's place in a local group; goes to the thread with `port` in the transfer list. */
export interface LocalSeat {
  readonly port: MessagePort;
  readonly rank: number;
  readonly shardsOfWorkers: readonly (readonly number[])[];
  readonly wire: WireFormat;
}

/** One contribution in memory that all threads see: shards [start, end). */
export interface SharedBlock {
  readonly start: number;
  readonly end: number;
  readonly buffer: SharedArrayBuffer;
}

/** What a member tells the hub. */
export type ToHub =
  | {
      readonly op: "contribute";
      readonly call: CallKind;
      readonly tag: string;
      /** Null from those who do not give the values of a broadcast. */
      readonly length: number | null;
      readonly blocks: readonly SharedBlock[];
    }
  /** The member's slice of the sum is written. */
  | { readonly op: "summed"; readonly tag: string }
  /** The member has taken what it needs. */
  | { readonly op: "done"; readonly tag: string };

/** What the hub tells a member. */
export type ToMember =
  | { readonly op: "gathered"; readonly tag: string; readonly length: number; readonly blocks: readonly SharedBlock[] }
  /** Add up numbers [first, first + count) of the leaves into `result`. */
  | {
      readonly op: "sum";
      readonly tag: string;
      readonly leaves: readonly SharedBlock[];
      readonly result: SharedArrayBuffer;
      readonly first: number;
      readonly count: number;
    }
  | { readonly op: "reduced"; readonly tag: string; readonly result: SharedArrayBuffer }
  /** All are done: the member's blocks may be used again. */
  | { readonly op: "free"; readonly tag: string }
  | { readonly op: "failed"; readonly tag: string; readonly error: EncodedError };
