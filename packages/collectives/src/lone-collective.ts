import { CancelledError } from "@gmc/core";
import { roundVector } from "@gmc/protocol";
import type { Assignment } from "./assignment.ts";
import { assignment } from "./assignment.ts";
import type { CallKind, Collective, CollectiveOptions, Subtree, Traffic } from "./collective.ts";
import { addTraffic, NO_TRAFFIC } from "./collective.ts";
import { givesValues, ownShards, ownSubtrees, resultOf } from "./own-blocks.ts";
import type { ProtocolHook } from "./protocol-point.ts";
import { TagBook } from "./tag-book.ts";

export interface LoneCollectiveOptions extends Pick<CollectiveOptions, "wire" | "onMetrics"> {
  readonly hook?: ProtocolHook;
}

/**
 * A group of one: nothing travels, and what a group rounds is rounded. A sum that is asked for where it stands already
 * (`into` is what was given) is not copied.
 *
 * @param shards  all of them, 0 to V - 1, in any order
 * @throws {RangeError} when they are not
 */
export const openLoneCollective = (shards: readonly number[], options: LoneCollectiveOptions = {}): Collective =>
  new LoneCollective(shards, options);

class LoneCollective implements Collective {
  readonly rank = 0;
  readonly shardsOfWorkers: readonly (readonly number[])[];
  readonly wire: Collective["wire"];
  readonly #assignment: Assignment;
  readonly #options: LoneCollectiveOptions;
  readonly #tags = new TagBook();
  #traffic = NO_TRAFFIC;
  #closed = false;

  constructor(shards: readonly number[], options: LoneCollectiveOptions) {
    this.shardsOfWorkers = [shards];
    this.#assignment = assignment(this.shardsOfWorkers);
    this.wire = options.wire ?? "fp32";
    this.#options = options;
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
    const { length, blocks } = ownShards(this.#assignment, 0, tag, own);
    const out = resultOf(`gather "${tag}"`, length * this.#assignment.shards, into);
    await this.#call("gather", tag, signal, () => {
      for (const { start, values } of blocks) out.set(values, start * length);
    });
    return out;
  }

  async reduce(
    tag: string,
    own: ReadonlyMap<Subtree, Float32Array>,
    signal?: AbortSignal,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const { length, blocks } = ownSubtrees(this.#assignment, 0, tag, own); // one block: the whole tree
    const out = resultOf(`reduce "${tag}"`, length, into);
    await this.#call("reduce", tag, signal, () => {
      for (const { values } of blocks) if (!isSame(out, values)) out.set(values);
      roundVector(out, this.wire);
    });
    return out;
  }

  async broadcast(
    tag: string,
    rank: number,
    values: Float32Array | undefined,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    if (!givesValues(this.#assignment, 0, tag, rank, values)) throw new TypeError(`broadcast "${tag}": nobody gives`);
    await this.#call("broadcast", tag, signal, () => {});
    return values;
  }

  async release(scope: string): Promise<void> {
    await this.#options.hook?.("release:before", scope);
    this.#tags.release(scope);
    await this.#options.hook?.("release:after", scope);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #call(call: CallKind, tag: string, signal: AbortSignal | undefined, work: () => void): Promise<void> {
    const { hook, onMetrics } = this.#options;
    this.#tags.use(tag);
    if (this.#closed) throw new CancelledError("The collective was closed.");
    if (signal?.aborted) throw new CancelledError(`${call} "${tag}" was cancelled.`, {}, { cause: signal.reason });
    const startedAt = performance.now();
    await hook?.(`${call}:before-write`, tag);
    work();
    await hook?.(`${call}:after-write`, tag);
    const ms = performance.now() - startedAt;
    const metrics = { call, tag, bytesOut: 0, bytesIn: 0, sentMs: ms, summedMs: ms, totalMs: ms, computeMs: ms };
    this.#traffic = addTraffic(this.#traffic, metrics);
    onMetrics?.(metrics);
    await hook?.(`${call}:done`, tag);
  }
}

const isSame = (a: Float32Array, b: Float32Array): boolean =>
  a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length;
