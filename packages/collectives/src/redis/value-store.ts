import { CancelledError, StaleGenerationError } from "@gmc/core";
import type { GenerationKeys, RunKeys } from "@gmc/protocol";
import { runKeys } from "@gmc/protocol";
import type { RedisAddress } from "@gmc/redis";
import { describeAddress, RedisChannel, readFence, releaseValues, writeFenced } from "@gmc/redis";
import { scopeOf } from "../tag-book.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { DOOR_BLOCK_MS, Door } from "./door.ts";

export interface ValueStoreOptions {
  readonly address: RedisAddress;
  readonly run: string;
  /** Id of the generation. */
  readonly generation: string;
  readonly rank: number;
  readonly ranks: number;
  readonly guardMs: number;
  readonly pool: BufferPool;
}

/** Reads in pieces of this size; larger ones are out of the cache before they are copied on. */
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
   * Writes a value and announces it; `payload` is the caller's again when this settles.
   *
   * @throws {StaleGenerationError} when the generation is over
   */
  async write(name: string, door: number | "all", payload: Uint8Array): Promise<void> {
    const { generation, rank, guardMs } = this.#options;
    const slot = this.#freeSlots.pop() ?? this.#slots++;
    const outcome = await writeFenced(
      this.#writer,
      {
        fence: this.#run.fence,
        generation,
        name,
        key: this.#keys.value(name),
        stage: this.#keys.stage(rank, slot),
        values: this.#keys.values(scopeOf(name)),
        registry: this.#run.registry,
        door: this.#keys.door(door),
        guardMs,
      },
      payload,
    );
    this.#freeSlots.push(slot);
    if (outcome === "refused") throw await this.#stale();
  }

  /** A value that another rank writes, waiting for it; the buffer is of the pool and the caller's to release. */
  async take(name: string, signal: AbortSignal): Promise<Uint8Array> {
    for (;;) {
      await this.#door.wait(name, signal);
      const value = await this.read(name);
      if (signal.aborted) {
        if (value) this.#options.pool.release(value);
        throw signal.reason;
      }
      if (value) return value;
    }
  }

  /** A value that is there, or null; the buffer is of the pool and the caller's to release. */
  async read(name: string): Promise<Uint8Array | null> {
    const room = (sizeBytes: number) => this.#options.pool.acquire(sizeBytes);
    return (await this.#reader.send(["GET", this.#keys.value(name)], room)) as Uint8Array | null;
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
