import { DataError } from "@gmc/core";
import type { ValueHeader } from "@gmc/protocol";
import { decodeValue, runKeys, unpackVector } from "@gmc/protocol";
import type { BulkSink } from "@gmc/redis";
import { parseRedisUrl, RedisChannel } from "@gmc/redis";
import { hashOf } from "../chunk-plan.ts";
import { shardName, sumName } from "../redis/value-names.ts";

export interface StepResultsOptions {
  /** As the generation had them, in its order. */
  readonly servers: readonly string[];
  readonly run: string;
  /** Id of the generation that committed the step. */
  readonly generation: string;
  /** V. */
  readonly shards: number;
}

/**
 * What a committed step exchanged, read again from the generation that committed it: a survivor finishes the step with
 * it. Everything may be gone (its workers all released it, a server was restarted); then somebody who applied the step
 * gives its train state, or the step is done again.
 */
export class StepResults {
  readonly #channels: readonly RedisChannel[];
  readonly #key: (name: string) => string;
  readonly #shards: number;

  constructor({ servers, run, generation, shards }: StepResultsOptions) {
    this.#channels = servers.map((url) => new RedisChannel(parseRedisUrl(url), { name: "gmc-results" }));
    const keys = runKeys(run).of(generation);
    this.#key = (name) => keys.value(name);
    this.#shards = shards;
  }

  /** What `reduce(tag)` gave: [length], or null when it is not all there. */
  async reduced(tag: string, length: number): Promise<Float32Array | null> {
    if (length === 0) return new Float32Array(0);
    const out = new Float32Array(length);
    const read = (chunk: number) => this.#read(tag, chunk, sumName(tag, chunk), out, 0);
    return (await readAll(read)) ? out : null;
  }

  /** What `gather(tag)` gave: [V · length], or null when it is not all there. */
  async gathered(tag: string, length: number): Promise<Float32Array | null> {
    if (length === 0) return new Float32Array(0);
    const out = new Float32Array(this.#shards * length);
    const shards = Array.from({ length: this.#shards }, (_, shard) => shard);
    const found = await Promise.all(
      shards.map((shard) => {
        const own = out.subarray(shard * length, (shard + 1) * length);
        return readAll((chunk) => this.#read(tag, chunk, shardName(tag, shard, chunk), own, shard));
      }),
    );
    return found.every(Boolean) ? out : null;
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  /** Reads one chunk into its place; its header, or null when it is not there. */
  async #read(tag: string, chunk: number, name: string, out: Float32Array, turn: number): Promise<ValueHeader | null> {
    const channel = this.#channels[(hashOf(tag) + turn + chunk) % this.#channels.length];
    const reply = await channel?.send(["GET", this.#key(name)], { target: (sizeBytes) => new WholeValue(sizeBytes) });
    if (!(reply instanceof WholeValue)) return null;
    const { header, payloadOffset } = decodeValue(reply.bytes, name);
    if (header.total !== out.length) {
      throw new DataError(`Value ${name}: expected ${out.length} numbers, received ${header.total}.`, { name });
    }
    unpackVector(reply.bytes, payloadOffset, header.count, header.wire, out, header.first);
    return header;
  }
}

/** Reads the first chunk, which says how many there are, and then the others. */
async function readAll(read: (chunk: number) => Promise<ValueHeader | null>): Promise<boolean> {
  const first = await read(0);
  if (!first) return false;
  const others = Array.from({ length: first.chunks - 1 }, (_, i) => read(i + 1));
  return (await Promise.all(others)).every((header) => header !== null);
}

class WholeValue implements BulkSink {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  write(piece: Uint8Array): void {
    this.bytes.set(piece, this.#at);
    this.#at += piece.length;
  }
}
