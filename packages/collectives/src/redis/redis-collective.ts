import { parseRedisUrl } from "@gmc/redis";
import { assignment } from "../assignment.ts";
import type { AddInPlace, CallKind, Collective, CollectiveOptions, Subtree, Traffic } from "../collective.ts";
import { addTraffic, DEFAULT_TIMEOUT_MS, NO_TRAFFIC } from "../collective.ts";
import { openLoneCollective } from "../lone-collective.ts";
import { givesValues, ownShards, ownSubtrees, resultOf } from "../own-blocks.ts";
import type { ProtocolHook } from "../protocol-point.ts";
import { TagBook } from "../tag-book.ts";
import { TreeAdder } from "../tree-adder.ts";
import { Call } from "./call.ts";
import type { Group } from "./group.ts";
import { Messenger } from "./messenger.ts";
import { giveBroadcast, takeBroadcast } from "./redis-broadcast.ts";
import { startGather } from "./redis-gather.ts";
import { startReduce } from "./redis-reduce.ts";
import { ValueStore } from "./value-store.ts";

export interface RedisCollectiveOptions extends CollectiveOptions {
  /** Servers of the reduce role, in one order on every worker. */
  readonly servers: readonly string[];
  readonly run: string;
  /** Id of the generation; its fence is up on every server. */
  readonly generation: string;
  readonly rank: number;
  /** The shards of every rank, the same on every worker. */
  readonly shardsOfWorkers: readonly (readonly number[])[];
  /** Bytes of payload of a message; the same on every worker. */
  readonly chunkBytes?: number;
  /** What nobody takes away goes after so long: a guard against leaks. */
  readonly guardMs?: number;
  readonly hook?: ProtocolHook;
}

/** Measured with 2 workers and 11.5 MB: docs/0005-two-workers-on-two-cores.md. */
export const DEFAULT_CHUNK_BYTES = 2 * 1024 * 1024;
export const DEFAULT_GUARD_MS = 3_600_000;

/**
 * A worker's place in one generation of a run, over Redis. One worker alone needs no Redis: it only rounds as a group
 * would.
 *
 * @throws {RangeError} for an assignment that is none
 * @throws {ConfigError} for a URL that is none
 */
export function openRedisCollective(options: RedisCollectiveOptions): Collective {
  const [only, ...others] = options.shardsOfWorkers;
  if (only && others.length === 0 && options.rank === 0) return openLoneCollective(only, options);
  return new RedisCollective(options);
}

class RedisCollective implements Collective {
  readonly rank: number;
  readonly shardsOfWorkers: readonly (readonly number[])[];
  readonly #group: Group;
  readonly #timeoutMs: number;
  readonly #onMetrics: CollectiveOptions["onMetrics"];
  readonly #tags = new TagBook();
  #traffic = NO_TRAFFIC;

  constructor(options: RedisCollectiveOptions) {
    const { servers, rank, generation, wire = "fp32", chunkBytes = DEFAULT_CHUNK_BYTES } = options;
    this.rank = rank;
    this.shardsOfWorkers = options.shardsOfWorkers;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#onMetrics = options.onMetrics;
    const shares = assignment(options.shardsOfWorkers);
    const { ranks } = shares;
    if (!(rank >= 0 && rank < ranks)) throw new RangeError(`Rank ${rank} of ${ranks}`);
    if (servers.length === 0) throw new RangeError("A group of workers needs a Redis server");
    const stores = servers.map(parseRedisUrl).map((address) => {
      const { run, guardMs = DEFAULT_GUARD_MS } = options;
      return new ValueStore({ address, run, generation, rank, ranks, guardMs });
    });
    const adder = new TreeAdder(shares.tree, wire);
    const hook = options.hook ?? (() => {});
    this.#group = {
      rank,
      generation,
      assignment: shares,
      wire,
      chunkBytes,
      stores,
      messenger: new Messenger(),
      adder,
      hook,
    };
  }

  get wire(): Collective["wire"] {
    return this.#group.wire;
  }

  get traffic(): Traffic {
    return this.#traffic;
  }

  async gather(
    tag: string,
    own: ReadonlyMap<number, Float32Array>,
    signal?: AbortSignal,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const blocks = ownShards(this.#group.assignment, this.rank, tag, own);
    const out = resultOf(`gather "${tag}"`, blocks.length * this.#group.assignment.shards, into);
    await this.#run("gather", tag, signal, (call) => startGather(this.#group, call, blocks, out));
    return out;
  }

  async reduce(
    tag: string,
    own: ReadonlyMap<Subtree, Float32Array>,
    signal?: AbortSignal,
    into?: Float32Array,
    add?: AddInPlace,
  ): Promise<Float32Array> {
    const blocks = ownSubtrees(this.#group.assignment, this.rank, tag, own);
    const out = resultOf(`reduce "${tag}"`, blocks.length, into);
    await this.#run("reduce", tag, signal, (call) => startReduce(this.#group, call, blocks, out, add));
    return out;
  }

  async broadcast(
    tag: string,
    rank: number,
    values: Float32Array | undefined,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    let received = values;
    const part = async (call: Call): Promise<void> => {
      if (values) await giveBroadcast(this.#group, call, values);
      else received = await takeBroadcast(this.#group, call, rank);
    };
    givesValues(this.#group.assignment, this.rank, tag, rank, values);
    await this.#run("broadcast", tag, signal, (call) => [part(call)]);
    return received ?? new Float32Array(0);
  }

  async release(scope: string): Promise<void> {
    const { hook, stores } = this.#group;
    await hook("release:before", scope);
    await Promise.all(stores.map((store) => store.release(scope)));
    this.#tags.release(scope);
    await hook("release:after", scope);
  }

  async close(): Promise<void> {
    for (const store of this.#group.stores) store.close();
  }

  async #run(
    kind: CallKind,
    tag: string,
    signal: AbortSignal | undefined,
    start: (call: Call) => Promise<void>[],
  ): Promise<void> {
    this.#tags.use(tag);
    const call = new Call(kind, tag, { stores: this.#group.stores, timeoutMs: this.#timeoutMs, signal });
    const metrics = await call.finish(start(call));
    this.#traffic = addTraffic(this.#traffic, metrics);
    this.#onMetrics?.(metrics);
    await this.#group.hook(`${kind}:done`, tag);
  }
}
