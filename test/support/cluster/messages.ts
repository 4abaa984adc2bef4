import type { ProtocolPoint } from "@gmc/collectives";
import type { CoordinatorTiming } from "@gmc/coordinator";
import type { RunStore, WorkerTiming } from "@gmc/worker";

/** What a process of a test cluster is started with. */
export interface ProcessOptions {
  readonly role: "worker" | "coordinator";
  readonly redis: string;
  readonly reduce?: readonly string[];
  readonly id?: string;
  readonly timing?: Partial<CoordinatorTiming & WorkerTiming>;
  /** Ends what it says of its software: as if it were another version. */
  readonly bits?: string;
  readonly store?: RunStore;
  readonly verbose?: boolean;
}

/** What a process does to itself at a point of the protocol, after it has passed there so many times. */
export interface Fault {
  readonly point: ProtocolPoint;
  /** Only at tags that match. */
  readonly tag?: string;
  passes: number;
  readonly action: "kill" | "stop";
}

export type ToProcess = "close" | "disarm" | Fault;
export type FromProcess = "ready" | { readonly at: ProtocolPoint; readonly tag: string };
