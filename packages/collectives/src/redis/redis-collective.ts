import type { ValueHeader, WireFormat } from "@gmc/protocol";
import { encodeHeader, packVector, payloadBytes, unpackVector, wireBytes } from "@gmc/protocol";
import { parseRedisUrl } from "@gmc/redis";
import type { Assignment } from "../assignment.ts";
import { assignment } from "../assignment.ts";
import type { Chunk } from "../chunk-plan.ts";
import { chunkPlan, hashOf } from "../chunk-plan.ts";
import type { Collective, CollectiveOptions, Subtree } from "../collective.ts";
import { DEFAULT_TIMEOUT_MS } from "../collective.ts";
import type { OwnBlocks } from "../own-blocks.ts";
import { ownShards, ownSubtrees, resultOf } from "../own-blocks.ts";
import type { ProtocolHook, ProtocolPoint } from "../protocol-point.ts";
import { TagBook } from "../tag-book.ts";
import type { Leaf } from "../tree-adder.ts";
import { TreeAdder } from "../tree-adder.ts";
import { BufferPool } from "./buffer-pool.ts";
import { ByteGate } from "./byte-gate.ts";
import { Call } from "./call.ts";
import { inOrder } from "./in-order.ts";
import { openValue } from "./open-value.ts";
import { shardName, subtreeValueName, sumName } from "./value-names.ts";
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
  /** What a worker does not take away itself goes after so long: a guard against leaks. */
  readonly guardMs?: number;
  readonly hook?: ProtocolHook;
}

const DEFAULT_CHUNK_BYTES = 512 * 1024;
const DEFAULT_GUARD_MS = 3_600_000;
/** Bytes a worker has on their way to a server at most. */
const WRITE_WINDOW_BYTES = 32 * 1024 * 1024;
/** Chunks a worker reads or sums at a time. */
const READ_WINDOW = 16;
const POOL_BYTES = 64 * 1024 * 1024;

/**
 * A worker's place in one generation of a run, over Redis. A vector is reduced in chunks: every rank writes its part of
 * a chunk for the chunk's owner, the owner adds the parts up in the order of the tree and writes the sum for all.
 * One worker alone needs no Redis: it only rounds as a group would.
 *
 * @throws {RangeError} for an assignment that is none
 * @throws {ConfigError} for a URL that is none
 */
export function openRedisCollective(options: RedisCollectiveOptions): Collective {
  return new RedisCollective(options);
}

class RedisCollective implements Collective {
  readonly rank: number;
  readonly shardsOfWorkers: readonly (readonly number[])[];
  readonly #options: RedisCollectiveOptions;
  readonly #assignment: Assignment;
  readonly #wire: WireFormat;
  readonly #chunkBytes: number;
  readonly #adder: TreeAdder;
  readonly #tags = new TagBook();
  readonly #pool = new BufferPool(POOL_BYTES);
  readonly #gate = new ByteGate(WRITE_WINDOW_BYTES);
  readonly #stores: readonly ValueStore[];

  constructor(options: RedisCollectiveOptions) {
    const { servers, run, generation, rank, guardMs = DEFAULT_GUARD_MS } = options;
    this.#options = options;
    this.rank = rank;
    this.shardsOfWorkers = options.shardsOfWorkers;
    this.#assignment = assignment(options.shardsOfWorkers);
    this.#wire = options.wire ?? "fp32";
    this.#chunkBytes = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
    this.#adder = new TreeAdder(this.#assignment.tree, this.#wire);
    const { ranks } = this.#assignment;
    if (!(rank >= 0 && rank < ranks)) throw new RangeError(`Rank ${rank} of ${ranks}`);
    if (ranks > 1 && servers.length === 0) throw new RangeError("A group of workers needs a Redis server");
    const addresses = ranks > 1 ? servers.map(parseRedisUrl) : [];
    this.#stores = addresses.map(
      (address) => new ValueStore({ address, run, generation, rank, ranks, guardMs, pool: this.#pool }),
    );
  }

  async gather(
    tag: string,
    own: ReadonlyMap<number, Float32Array>,
    signal?: AbortSignal,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const { length, blocks } = ownShards(this.#assignment, this.rank, tag, own);
    const out = resultOf(`gather "${tag}"`, length * this.#assignment.shards, into);
    const call = this.#begin("gather", tag, signal);
    const chunks = chunkPlan(tag, length, this.#chunkBytes / 4, 1, 1);
    const missing = this.#assignment.rankOfShard.flatMap((rank, shard) =>
      rank === this.rank ? [] : chunks.map((chunk) => ({ rank, shard, chunk })),
    );
    const send = async (): Promise<void> => {
      call.compute(() => {
        for (const { start, values } of blocks) out.set(values, start * length);
      });
      if (this.#stores.length === 0) return;
      await this.#hook("gather:before-write", tag);
      await Promise.all(
        blocks.flatMap(({ start, values }) =>
          chunks.map((chunk) => this.#sendShard(call, chunk, start, values, chunks)),
        ),
      );
      await this.#hook("gather:after-write", tag);
      call.sent();
    };
    const receive = async (): Promise<void> => {
      await this.#hook("gather:before-read", tag);
      await inOrder(missing, READ_WINDOW, ({ rank, shard, chunk }) =>
        this.#takeShard(call, chunk, shard, rank, { length, chunks: chunks.length, out }),
      );
    };
    this.#report(await call.finish([send(), receive()]));
    await this.#hook("gather:done", tag);
    return out;
  }

  async reduce(
    tag: string,
    own: ReadonlyMap<Subtree, Float32Array>,
    signal?: AbortSignal,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const { length, blocks } = ownSubtrees(this.#assignment, this.rank, tag, own);
    const out = resultOf(`reduce "${tag}"`, length, into);
    const call = this.#begin("reduce", tag, signal);
    const { ranks } = this.#assignment;
    const chunkLength = this.#chunkBytes / wireBytes(this.#wire);
    const plan = chunkPlan(tag, length, chunkLength, ranks, Math.max(1, this.#stores.length));
    const work: ReduceWork = { length, blocks, out, chunks: plan.length };
    const mine = plan.filter((chunk) => chunk.owner === this.rank);
    const others = plan.filter((chunk) => chunk.owner !== this.rank);
    const send = async (): Promise<void> => {
      await this.#hook("reduce:before-write", tag);
      const parts = others.flatMap((chunk) => blocks.map((block) => ({ chunk, block })));
      await Promise.all(parts.map(({ chunk, block }) => this.#sendSubtree(call, chunk, block, work)));
      await this.#hook("reduce:after-write", tag);
      call.sent();
    };
    const sum = async (): Promise<void> => {
      await this.#hook("reduce:before-sum", tag);
      await inOrder(mine, READ_WINDOW, (chunk) => this.#sumChunk(call, chunk, work));
      call.summed();
    };
    const collect = () => inOrder(others, READ_WINDOW, (chunk) => this.#takeSum(call, chunk, work));
    this.#report(await call.finish([send(), sum(), collect()]));
    await this.#hook("reduce:done", tag);
    return out;
  }

  async release(scope: string): Promise<void> {
    await this.#hook("release:before", scope);
    await Promise.all(this.#stores.map((store) => store.release(scope)));
    this.#tags.release(scope);
    await this.#hook("release:after", scope);
  }

  async close(): Promise<void> {
    for (const store of this.#stores) store.close();
  }

  #begin(kind: "gather" | "reduce", tag: string, signal: AbortSignal | undefined): Call {
    this.#tags.use(tag);
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    return new Call(kind, tag, { stores: this.#stores, timeoutMs, signal });
  }

  #report(metrics: Parameters<NonNullable<CollectiveOptions["onMetrics"]>>[0]): void {
    this.#options.onMetrics?.(metrics);
  }

  #hook(point: ProtocolPoint, tag: string): void | Promise<void> {
    return this.#options.hook?.(point, tag);
  }

  async #sendShard(
    call: Call,
    chunk: Chunk,
    shard: number,
    values: Float32Array,
    chunks: readonly Chunk[],
  ): Promise<void> {
    const header = this.#header(call.tag, chunk, chunks.length, values.length, {
      kind: "shard",
      start: shard,
      end: shard + 1,
      wire: "fp32",
    });
    const name = shardName(call.tag, shard, chunk.index);
    await this.#send(call, this.#storeOf(call.tag, shard + chunk.index), name, "all", header, (bytes, offset) => {
      packVector(values, chunk.first, chunk.count, "fp32", bytes, offset);
    });
  }

  async #takeShard(
    call: Call,
    chunk: Chunk,
    shard: number,
    rank: number,
    { length, chunks, out }: { length: number; chunks: number; out: Float32Array },
  ): Promise<void> {
    const name = shardName(call.tag, shard, chunk.index);
    const expected = this.#header(call.tag, chunk, chunks, length, {
      kind: "shard",
      start: shard,
      end: shard + 1,
      wire: "fp32",
    });
    await this.#take(call, this.#storeOf(call.tag, shard + chunk.index), name, rank, expected, (bytes, offset) => {
      unpackVector(bytes, offset, chunk.count, "fp32", out, shard * length + chunk.first);
    });
  }

  async #sendSubtree(
    call: Call,
    chunk: Chunk,
    { start, end, values }: OwnBlocks["blocks"][number],
    { length, chunks }: ReduceWork,
  ): Promise<void> {
    const header = this.#header(call.tag, chunk, chunks, length, { kind: "subtree", start, end, wire: this.#wire });
    const name = subtreeValueName(call.tag, chunk.index, { start, end });
    await this.#send(call, this.#stores[chunk.server], name, chunk.owner, header, (bytes, offset) => {
      packVector(values, chunk.first, chunk.count, this.#wire, bytes, offset);
    });
  }

  /** Adds up a chunk of this rank, once all parts are here, and gives the sum to all. */
  async #sumChunk(call: Call, chunk: Chunk, { length, chunks, blocks, out }: ReduceWork): Promise<void> {
    const { leaves, shards } = this.#assignment;
    const { tag } = call;
    const taken: Uint8Array[] = [];
    const own = new Map(blocks.map(({ start, values }) => [start, { values, first: chunk.first }]));
    try {
      const parts = await Promise.all(
        leaves.map(async ({ start, end, rank }): Promise<Leaf> => {
          const mine = own.get(start);
          if (mine) return mine;
          const name = subtreeValueName(tag, chunk.index, { start, end });
          const bytes = await call.take(this.#storeOfChunk(chunk), name, rank);
          taken.push(bytes);
          const expected = this.#header(tag, chunk, chunks, length, { kind: "subtree", start, end, wire: this.#wire });
          return { bytes, byteOffset: openValue(bytes, name, rank, expected) };
        }),
      );
      if (this.#stores.length === 0) {
        call.compute(() => this.#adder.add(parts, chunk.count, { values: out, first: chunk.first }));
        return;
      }
      await this.#hook("reduce:before-sum-write", tag);
      const header = this.#header(tag, chunk, chunks, length, { kind: "sum", start: 0, end: shards, wire: this.#wire });
      await this.#send(
        call,
        this.#storeOfChunk(chunk),
        sumName(tag, chunk.index),
        "all",
        header,
        (bytes, byteOffset) => {
          this.#adder.add(parts, chunk.count, { values: out, first: chunk.first, bytes, byteOffset });
        },
      );
      await this.#hook("reduce:after-sum-write", tag);
    } finally {
      for (const bytes of taken) this.#pool.release(bytes);
    }
  }

  async #takeSum(call: Call, chunk: Chunk, { length, chunks, out }: ReduceWork): Promise<void> {
    const { shards } = this.#assignment;
    const name = sumName(call.tag, chunk.index);
    const expected = this.#header(call.tag, chunk, chunks, length, {
      kind: "sum",
      start: 0,
      end: shards,
      wire: this.#wire,
    });
    await this.#take(call, this.#storeOfChunk(chunk), name, chunk.owner, expected, (bytes, offset) => {
      unpackVector(bytes, offset, chunk.count, this.#wire, out, chunk.first);
    });
  }

  /** Writes one message; its bytes are filled from the caller's memory at once or not at all. */
  async #send(
    call: Call,
    store: ValueStore | undefined,
    name: string,
    door: number | "all",
    header: ValueHeader,
    fill: (bytes: Uint8Array, payloadOffset: number) => void,
  ): Promise<void> {
    if (!store) throw new RangeError(`No server for ${name}`);
    const head = encodeHeader(header);
    const sizeBytes = head.length + payloadBytes(header);
    await this.#gate.enter(sizeBytes);
    const bytes = this.#pool.acquire(sizeBytes);
    try {
      call.compute(() => {
        bytes.set(head);
        fill(bytes, head.length);
      });
      call.bytesOut += sizeBytes;
      await store.write(name, door, bytes);
    } finally {
      this.#pool.release(bytes);
      this.#gate.leave(sizeBytes);
    }
  }

  async #take(
    call: Call,
    store: ValueStore,
    name: string,
    rank: number,
    expected: ValueHeader,
    use: (bytes: Uint8Array, payloadOffset: number) => void,
  ): Promise<void> {
    const bytes = await call.take(store, name, rank);
    try {
      const payloadOffset = openValue(bytes, name, rank, expected);
      call.compute(() => use(bytes, payloadOffset));
    } finally {
      this.#pool.release(bytes);
    }
  }

  #header(
    tag: string,
    { index, first, count }: Chunk,
    chunks: number,
    total: number,
    what: Pick<ValueHeader, "kind" | "start" | "end" | "wire">,
  ): ValueHeader {
    return { generation: this.#options.generation, tag, chunk: index, chunks, total, first, count, ...what };
  }

  #storeOf(tag: string, turn: number): ValueStore {
    return this.#storeAt((hashOf(tag) + turn) % this.#stores.length);
  }

  #storeOfChunk(chunk: Chunk): ValueStore {
    return this.#storeAt(chunk.server);
  }

  #storeAt(index: number): ValueStore {
    const store = this.#stores[index];
    if (!store) throw new RangeError(`No server ${index}`);
    return store;
  }
}

/** What the parts of one reduce share. */
interface ReduceWork extends OwnBlocks {
  readonly chunks: number;
  readonly out: Float32Array;
}
