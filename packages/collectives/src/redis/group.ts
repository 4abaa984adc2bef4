import type { WireFormat } from "@gmc/protocol";
import type { Assignment } from "../assignment.ts";
import type { ProtocolHook } from "../protocol-point.ts";
import type { TreeAdder } from "../tree-adder.ts";
import type { Messenger } from "./messenger.ts";
import type { ValueStore } from "./value-store.ts";

/** What the calls of one member share. */
export interface Group {
  readonly rank: number;
  readonly generation: string;
  readonly assignment: Assignment;
  readonly wire: WireFormat;
  readonly chunkBytes: number;
  /** One a server of the reduce role. */
  readonly stores: readonly ValueStore[];
  readonly messenger: Messenger;
  readonly adder: TreeAdder;
  readonly hook: ProtocolHook;
}

/** Chunks a worker reads or sums at a time. */
export const READ_WINDOW = 16;

/** The server that a chunk goes through. @throws {RangeError} where there is none */
export function storeAt({ stores }: Group, server: number): ValueStore {
  const store = stores[server];
  if (!store) throw new RangeError(`No server ${server} of ${stores.length}`);
  return store;
}
