import { setImmediate as nextTurn } from "node:timers/promises";
import { StaleGenerationError } from "@gmc/core";
import type { RedisChannel, RedisReply } from "@gmc/redis";
import { OVER } from "@gmc/redis";

/** Waiting on the server for so long at a time; after that much silence from it, it is not there. */
export const DOOR_BLOCK_MS = 1000;
/** A waiter is told to look for itself so often, should its announcement have been lost. */
const LOOK_MS = 1000;

/**
 * Names of values as they come, from two streams: what is for this rank and what is for all. A stream is read without
 * taking anything away and from where reading stopped, so nothing is missed when the connection breaks in between, and
 * no key is polled.
 */
export class Door {
  readonly #channel: RedisChannel;
  readonly #streams: readonly string[];
  readonly #generation: string;
  /** Place of the last entry read, by stream. */
  readonly #places: string[];
  /** Announced, and not yet asked for. */
  readonly #announced = new Set<string>();
  readonly #waiting = new Map<string, Waiter>();
  readonly #look: NodeJS.Timeout;
  #failure: Error | undefined;
  /** When the server last said anything, by `performance.now`. */
  lastHeardAt = performance.now();

  /** @param generation  id of the one that is waited for */
  constructor(channel: RedisChannel, streams: readonly string[], generation: string) {
    this.#channel = channel;
    this.#streams = streams;
    this.#generation = generation;
    this.#places = streams.map(() => "0");
    this.#look = setInterval(() => this.#sendAllToLook(), LOOK_MS).unref();
    this.#listen().catch((error: Error) => this.#fail(error));
  }

  /**
   * Resolves when the value may be there: it was announced, or it is time to look. One waiter a name.
   *
   * @throws {StaleGenerationError} when the generation is over
   */
  wait(name: string, signal: AbortSignal): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#announced.delete(name)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const cancel = (): void => this.#take(name)?.reject(signal.reason);
      this.#waiting.set(name, {
        since: performance.now(),
        resolve,
        reject,
        forget: () => signal.removeEventListener("abort", cancel),
      });
      signal.addEventListener("abort", cancel, { once: true });
      if (signal.aborted) cancel();
    });
  }

  /** Forgets the announcements under a scope: nobody will ask. */
  release(scope: string): void {
    for (const name of this.#announced) if (name.startsWith(`${scope}/`)) this.#announced.delete(name);
  }

  close(reason: Error): void {
    this.#fail(reason);
  }

  async #listen(): Promise<void> {
    const words = ["XREAD", "BLOCK", DOOR_BLOCK_MS, "COUNT", 1000, "STREAMS", ...this.#streams];
    while (!this.#failure) {
      const reply = await this.#channel.send([...words, ...this.#places]);
      this.lastHeardAt = performance.now();
      for (const [stream, entries] of (reply ?? []) as readonly [string, readonly Entry[]][]) {
        for (const [place, fields] of entries) {
          this.#places[this.#streams.indexOf(stream)] = place;
          this.#announce(fields);
        }
      }
      await nextTurn(); // what is read in this turn of the event loop may be followed by more: ask once for all of it
    }
  }

  #announce([, name = "", , current]: readonly string[]): void {
    if (name === OVER) {
      this.#fail(new StaleGenerationError(this.#generation, current ?? null));
      return;
    }
    const waiter = this.#take(name);
    if (waiter) waiter.resolve();
    else this.#announced.add(name);
  }

  #sendAllToLook(): void {
    const before = performance.now() - LOOK_MS;
    for (const [name, { since }] of [...this.#waiting]) if (since <= before) this.#take(name)?.resolve();
  }

  #take(name: string): Waiter | undefined {
    const waiter = this.#waiting.get(name);
    this.#waiting.delete(name);
    waiter?.forget();
    return waiter;
  }

  #fail(failure: Error): void {
    this.#failure ??= failure;
    clearInterval(this.#look);
    for (const name of [...this.#waiting.keys()]) this.#take(name)?.reject(this.#failure);
  }
}

interface Waiter {
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly forget: () => void;
}
type Entry = readonly [place: string, fields: readonly string[]] & RedisReply;
