import type { ValueHeader } from "@gmc/protocol";
import { payloadBytes, unpackVector, wireBytes } from "@gmc/protocol";
import type { Chunk } from "../chunk-plan.ts";
import { chunkPlan } from "../chunk-plan.ts";
import type { AddInPlace, Subtree } from "../collective.ts";
import type { OwnBlocks } from "../own-blocks.ts";
import type { Leaf } from "../tree-adder.ts";
import type { Call } from "./call.ts";
import type { Group } from "./group.ts";
import { READ_WINDOW, storeAt } from "./group.ts";
import { inOrder } from "./in-order.ts";
import type { ValuePlace } from "./messenger.ts";
import { chunkHeader } from "./messenger.ts";
import { subtreeValueName, sumName } from "./value-names.ts";

/**
 * A reduction. The parts of the call.
 *
 * In general every rank writes its part of a chunk for the chunk's owner, who adds the parts up in the order of the tree
 * and writes the sum for all. Where the tree has two parts, one of each of two ranks, both add both up: as many bytes, and
 * nobody waits for sums.
 */
export function startReduce(
  group: Group,
  call: Call,
  own: OwnBlocks,
  out: Float32Array,
  add?: AddInPlace,
): Promise<void>[] {
  const { rank, assignment, hook, wire } = group;
  const bothSum = assignment.leaves.length === 2;
  const chunkLength = Math.max(1, Math.floor(group.chunkBytes / wireBytes(wire)));
  const plan = chunkPlan(call.tag, own.length, chunkLength, bothSum ? 1 : assignment.ranks, group.stores.length);
  const work = new ReduceWork(group, call, own, out, plan.length);
  const mine = bothSum ? plan : plan.filter((chunk) => chunk.owner === rank);
  const others = plan.filter((chunk) => chunk.owner !== rank);

  const send = async (): Promise<void> => {
    await hook("reduce:before-write", call.tag);
    const sent = bothSum
      ? plan.flatMap((chunk) => work.sendParts(chunk, 1 - rank))
      : others.flatMap((chunk) => work.sendParts(chunk, chunk.owner));
    await Promise.all(sent);
    await hook("reduce:after-write", call.tag);
    call.sent();
  };
  const sum = async (): Promise<void> => {
    await hook("reduce:before-sum", call.tag);
    await inOrder(mine, READ_WINDOW, (chunk) => (bothSum ? work.sumBoth(chunk, add) : work.giveSum(chunk)));
    call.summed();
  };
  const take = bothSum ? [] : [inOrder(others, READ_WINDOW, (chunk) => work.takeSum(chunk))];
  return [send(), sum(), ...take];
}

class ReduceWork {
  readonly #group: Group;
  readonly #call: Call;
  readonly #own: OwnBlocks;
  readonly #out: Float32Array;
  readonly #chunks: number;

  constructor(group: Group, call: Call, own: OwnBlocks, out: Float32Array, chunks: number) {
    this.#group = group;
    this.#call = call;
    this.#own = own;
    this.#out = out;
    this.#chunks = chunks;
  }

  /** Writes this rank's parts of a chunk for another rank. */
  sendParts(chunk: Chunk, reader: number): Promise<void>[] {
    const { rank, messenger } = this.#group;
    return this.#own.blocks.map(({ start, end, values }) =>
      messenger.sendNumbers(this.#call, this.#partPlace(chunk, { start, end }, rank), reader, values, chunk.first),
    );
  }

  /** Adds up a chunk of a tree with two parts, where the result goes if that can be. */
  async sumBoth(chunk: Chunk, add?: AddInPlace): Promise<void> {
    const { assignment, messenger, rank, wire } = this.#group;
    const other = assignment.leaves.find((leaf) => leaf.rank !== rank);
    const [own] = this.#own.blocks;
    if (!add || wire !== "fp32" || !own || !other) return this.#sumParts(chunk);
    const out = this.#out;
    const outBytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
    await messenger.takeBlocks(
      this.#call,
      this.#partPlace(chunk, other, other.rank),
      (bytes, byteOffset, first, count) => {
        const start = chunk.first + first;
        outBytes.set(bytes.subarray(byteOffset, byteOffset + count * 4), start * 4);
        add(out.subarray(start, start + count), own.values.subarray(start, start + count)); // a + b is b + a
      },
    );
  }

  /** Adds up a chunk of this rank and gives the sum to all. */
  async giveSum(chunk: Chunk): Promise<void> {
    const { messenger, hook, wire, rank } = this.#group;
    const { tag } = this.#call;
    const place = this.#sumPlace(chunk, rank);
    const packed = wire === "fp32" ? undefined : messenger.pool.acquire(payloadBytes(place.header));
    try {
      await this.#sumParts(chunk, packed);
      await hook("reduce:before-sum-write", tag);
      await (packed
        ? messenger.sendBytes(this.#call, place, "all", packed)
        : messenger.sendNumbers(this.#call, place, "all", this.#out, chunk.first));
      await hook("reduce:after-sum-write", tag);
    } finally {
      if (packed) messenger.pool.release(packed);
    }
  }

  /** Reads the sum of another rank's chunk. */
  async takeSum(chunk: Chunk): Promise<void> {
    const place = this.#sumPlace(chunk, chunk.owner);
    await this.#group.messenger.takeBlocks(this.#call, place, (bytes, byteOffset, first, count) => {
      unpackVector(bytes, byteOffset, count, this.#group.wire, this.#out, chunk.first + first);
    });
  }

  /**
   * Adds up a chunk. A single part of another rank is added as it comes; more of them wait for each other, for the order of
   * the tree.
   *
   * @param packed  receives the sum as wire bytes
   */
  async #sumParts(chunk: Chunk, packed?: Uint8Array): Promise<void> {
    const { assignment, messenger, rank } = this.#group;
    const leaves = this.#ownLeaves(chunk);
    const foreign = assignment.leaves.flatMap((leaf, place) => (leaf.rank === rank ? [] : [{ leaf, place }]));
    const [only, ...more] = foreign;
    if (only && more.length === 0) {
      const part = this.#partPlace(chunk, only.leaf, only.leaf.rank);
      await messenger.takeBlocks(this.#call, part, (bytes, byteOffset, first, count) => {
        leaves[only.place] = { bytes, byteOffset: byteOffset - first * wireBytes(this.#group.wire) };
        this.#add(leaves, chunk, packed, first, first + count);
      });
      return;
    }
    const taken = await Promise.all(
      foreign.map(({ leaf }) => messenger.takeBytes(this.#call, this.#partPlace(chunk, leaf, leaf.rank))),
    );
    for (const [i, bytes] of taken.entries()) leaves[foreign[i]?.place ?? -1] = { bytes, byteOffset: 0 };
    this.#call.compute(() => this.#add(leaves, chunk, packed));
    for (const bytes of taken) messenger.pool.release(bytes);
  }

  /** Leaves of the tree with this rank's own ones in their places. */
  #ownLeaves(chunk: Chunk): Leaf[] {
    const own = new Map(this.#own.blocks.map(({ start, values }) => [start, values]));
    return this.#group.assignment.leaves.map(({ start }) => ({
      values: own.get(start) ?? NOTHING,
      first: chunk.first,
    }));
  }

  #add(leaves: readonly Leaf[], chunk: Chunk, packed?: Uint8Array, from = 0, to = chunk.count): void {
    const target = { values: this.#out, first: chunk.first, ...(packed && { bytes: packed }) };
    this.#group.adder.add(leaves, from, to, target);
  }

  #partPlace(chunk: Chunk, { start, end }: Subtree, writer: number): ValuePlace {
    const server = (chunk.server + writer) % this.#group.stores.length; // parts of one chunk go through all of them
    return {
      store: storeAt(this.#group, server),
      name: subtreeValueName(this.#call.tag, chunk.index, { start, end }),
      writer,
      header: this.#header(chunk, "subtree", start, end),
    };
  }

  #sumPlace(chunk: Chunk, writer: number): ValuePlace {
    return {
      store: storeAt(this.#group, chunk.server),
      name: sumName(this.#call.tag, chunk.index),
      writer,
      header: this.#header(chunk, "sum", 0, this.#group.assignment.shards),
    };
  }

  #header(chunk: Chunk, kind: ValueHeader["kind"], start: number, end: number): ValueHeader {
    const { generation, wire } = this.#group;
    const what = { kind, start, end, wire };
    return chunkHeader(generation, this.#call.tag, chunk, this.#chunks, this.#own.length, what);
  }
}

const NOTHING = new Float32Array(0);
