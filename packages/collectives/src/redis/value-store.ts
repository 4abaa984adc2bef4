import { CancelledError, StaleGenerationError } from "@gmc/core";
import type { GenerationKeys, RunKeys } from "@gmc/protocol";
import { runKeys } from "@gmc/protocol";
import type { BulkSink, RedisAddress } from "@gmc/redis";
import { describeAddress, RedisChannel, readFence, releaseValues, writeFenced } from "@gmc/redis";
import { scopeOf } from "../tag-book.ts";
import { DOOR_BLOCK_MS, Door } from "./door.ts";

export interface ValueStoreOptions {
  readonly address: RedisAddress;
  readonly run: string;
  /** Id of the generation. */
  readonly generation: string;
  readonly rank: number;
  readonly ranks: number;
  readonly guardMs: number;
}

/** Reads in pieces of this size; larger ones are out of the cache before they are used. */
const READ_BYTES = 256 * 1024;

/**
 * The values of one generation on one server: written under the fence, announced at the door, read without taking them
 * away. Three connections: what waits at the door must not hold up reads, and large reads must not hold up writes.
 */
export class ValueStore {
  readonly address: string;
  readonly #options: ValueStoreOptions;
  readonly #run: RunKeys;
  readonly #keys: GenerationKeys;
  readonly #writer: RedisChannel;
  readonly #reader: RedisChannel;
  readonly #listener: RedisChannel;
  readonly #door: Door;
  readonly #freeSlots: number[] = [];
  #slots = 0;

  constructor(options: ValueStoreOptions) {
    const { address, run, generation, rank } = options;
    this.address = describeAddress(address);
    this.#options = options;
    this.#run = runKeys(run);
    this.#keys = this.#run.of(generation);
    this.#writer = new RedisChannel(address, { name: `gmc-write-${rank}` });
    this.#reader = new RedisChannel(address, { name: `gmc-read-${rank}`, readBytes: READ_BYTES });
    this.#listener = new RedisChannel(address, { name: `gmc-door-${rank}` });
    this.#door = new Door(this.#listener, [this.#keys.door(rank), this.#keys.door("all")], generation);
  }

  /** True when the server answered lately. */
  get answers(): boolean {
    return performance.now() - this.#door.lastHeardAt < 3 * DOOR_BLOCK_MS;
  }

  /**
   * Writes a value and announces it. The pieces are sent from where they are: they are the caller's again when this
   * settles, or after `detach` of their owner.
   *
   * @throws {StaleGenerationError} when the generation is over
   */
  async write(name: string, door: number | "all", pieces: readonly Uint8Array[], owner: object): Promise<void> {
    const { generation, rank, guardMs } = this.#options;
    const slot = this.#freeSlots.pop() ?? this.#slots++;
    const value = {
      fence: this.#run.fence,
      generation,
      name,
      key: this.#keys.value(name),
      stage: this.#keys.stage(rank, slot),
      values: this.#keys.values(scopeOf(name)),
      registry: this.#run.registry,
      door: this.#keys.door(door),
      guardMs,
    };
    const outcome = await writeFenced(this.#writer, value, pieces, owner);
    this.#freeSlots.push(slot);
    if (outcome === "refused") throw await this.#stale();
  }

  /** Lets go of the memory of an owner that does not wait for its writes. */
  detach(owner: object): void {
    this.#writer.detach(owner);
  }

  /** Reads a value that another rank writes, waiting for it; `target` may be asked again from the start. */
  async take(name: string, signal: AbortSignal, target: (sizeBytes: number) => BulkSink): Promise<void> {
    for (;;) {
      await this.#door.wait(name, signal);
      const found = await this.read(name, target);
      signal.throwIfAborted();
      if (found) return;
    }
  }

  /** Reads a value if it is there. */
  async read(name: string, target: (sizeBytes: number) => BulkSink): Promise<boolean> {
    return (await this.#reader.send(["GET", this.#keys.value(name)], { target })) !== null;
  }

  /** Says that this rank needs nothing under the scope any more. @throws {StaleGenerationError} when the generation is over */
  async release(scope: string): Promise<void> {
    this.#door.release(scope);
    const { generation, rank, ranks, guardMs } = this.#options;
    const target = {
      fence: this.#run.fence,
      generation,
      registry: this.#run.registry,
      values: this.#keys.values(scope),
      released: this.#keys.released(scope),
    };
    const outcome = await releaseValues(this.#writer, target, rank, ranks, guardMs);
    if (outcome === "refused") throw await this.#stale();
  }

  close(): void {
    this.#door.close(new CancelledError("The collective was closed."));
    for (const channel of [this.#writer, this.#reader, this.#listener]) channel.close();
  }

  async #stale(): Promise<StaleGenerationError> {
    return new StaleGenerationError(this.#options.generation, await readFence(this.#writer, this.#run.fence));
  }
}
