import { CancelledError, decodeError } from "@gmc/core";
import type { Assignment } from "../assignment.ts";
import { assignment } from "../assignment.ts";
import type { CallKind, Collective, CollectiveOptions, Subtree, Traffic } from "../collective.ts";
import { addTraffic, NO_TRAFFIC } from "../collective.ts";
import { openLoneCollective } from "../lone-collective.ts";
import type { OwnBlocks } from "../own-blocks.ts";
import { givesValues, ownShards, ownSubtrees, resultOf } from "../own-blocks.ts";
import { TagBook } from "../tag-book.ts";
import { TreeAdder } from "../tree-adder.ts";
import type { LocalHubOptions } from "./local-hub.ts";
import { openLocalHub } from "./local-hub.ts";
import type { LocalSeat, SharedBlock, ToHub, ToMember } from "./local-messages.ts";
import { SharedPool } from "./shared-pool.ts";

/** A whole group in this thread, one member a rank; `close` ends it. */
export function openLocalGroup(
  shardsOfWorkers: readonly (readonly number[])[],
  options: LocalHubOptions & Pick<CollectiveOptions, "onMetrics"> = {},
): { readonly members: readonly Collective[]; close(): void } {
  if (shardsOfWorkers.length === 1) {
    const member = openLoneCollective(shardsOfWorkers[0] ?? [], options);
    return { members: [member], close: () => void member.close() };
  }
  const hub = openLocalHub(shardsOfWorkers, options);
  return { members: hub.seats.map((seat) => joinLocal(seat, options)), close: () => hub.close() };
}

/** Takes a seat of a local group, in the thread that it was sent to. */
export function joinLocal(seat: LocalSeat, options: Pick<CollectiveOptions, "onMetrics"> = {}): Collective {
  return new LocalMember(seat, options.onMetrics);
}

/** What a call gives; without a length it only waits for what comes. */
interface Contribution extends Pick<OwnBlocks, "blocks"> {
  readonly length: number | null;
}

/** A call of this member that has not settled. */
interface Pending {
  /** Of a broadcast, once it is here. */
  out: Float32Array | undefined;
  readonly call: CallKind;
  readonly startedAt: number;
  readonly bytesOut: number;
  computeMs: number;
  sentMs: number;
  summedMs: number;
  readonly settle: (error?: Error) => void;
}

class LocalMember implements Collective {
  readonly rank: number;
  readonly shardsOfWorkers: readonly (readonly number[])[];
  readonly #seat: LocalSeat;
  readonly #assignment: Assignment;
  readonly #adder: TreeAdder;
  readonly #onMetrics: CollectiveOptions["onMetrics"];
  readonly #tags = new TagBook();
  #traffic = NO_TRAFFIC;
  readonly #pool = new SharedPool();
  /** Own blocks that others may still read. */
  readonly #lent = new Map<string, readonly SharedBlock[]>();
  readonly #pending = new Map<string, Pending>();
  #closed = false;

  constructor(seat: LocalSeat, onMetrics: CollectiveOptions["onMetrics"]) {
    this.rank = seat.rank;
    this.shardsOfWorkers = seat.shardsOfWorkers;
    this.#seat = seat;
    this.#assignment = assignment(seat.shardsOfWorkers);
    this.#adder = new TreeAdder(this.#assignment.tree, seat.wire);
    this.#onMetrics = onMetrics;
    seat.port.on("message", (message: ToMember) => this.#receive(message));
    seat.port.on("close", () => this.#failAll());
    seat.port.unref();
  }

  get wire(): Collective["wire"] {
    return this.#seat.wire;
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
    const blocks = ownShards(this.#assignment, this.rank, tag, own);
    const out = resultOf(`gather "${tag}"`, blocks.length * this.#assignment.shards, into);
    return await this.#call("gather", tag, blocks, out, signal);
  }

  async reduce(
    tag: string,
    own: ReadonlyMap<Subtree, Float32Array>,
    signal?: AbortSignal,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const blocks = ownSubtrees(this.#assignment, this.rank, tag, own);
    return await this.#call("reduce", tag, blocks, resultOf(`reduce "${tag}"`, blocks.length, into), signal);
  }

  async broadcast(
    tag: string,
    rank: number,
    values: Float32Array | undefined,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    if (!givesValues(this.#assignment, this.rank, tag, rank, values)) {
      return await this.#call("broadcast", tag, { length: null, blocks: [] }, undefined, signal);
    }
    const block = { start: 0, end: 1, values };
    return await this.#call("broadcast", tag, { length: values.length, blocks: [block] }, values, signal);
  }

  async release(scope: string): Promise<void> {
    this.#tags.release(scope);
  }

  async close(): Promise<void> {
    this.#failAll();
    this.#seat.port.close();
  }

  #call(
    call: CallKind,
    tag: string,
    { length, blocks }: Contribution,
    out: Float32Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array> {
    this.#tags.use(tag);
    if (this.#closed) return Promise.reject(new CancelledError("The collective was closed."));
    return new Promise((resolve, reject) => {
      const cancel = (): void =>
        pending.settle(new CancelledError(`${call} "${tag}" was cancelled.`, {}, { cause: signal?.reason }));
      const settle = (error?: Error): void => {
        if (!this.#pending.delete(tag)) return;
        if (this.#pending.size === 0) this.#seat.port.unref();
        signal?.removeEventListener("abort", cancel);
        if (error) {
          reject(error);
          return;
        }
        this.#report(tag, pending);
        resolve(pending.out ?? new Float32Array(0));
      };
      const startedAt = performance.now();
      const bytesOut = blocks.length * (length ?? 0) * 4;
      const pending: Pending = { out, call, startedAt, bytesOut, computeMs: 0, sentMs: 0, summedMs: 0, settle };
      this.#pending.set(tag, pending);
      this.#seat.port.ref();
      signal?.addEventListener("abort", cancel, { once: true });
      if (signal?.aborted) {
        cancel();
        return;
      }
      this.#contribute(call, tag, { length, blocks });
      pending.sentMs = performance.now() - startedAt;
      pending.summedMs = pending.sentMs;
    });
  }

  /** Copies what the caller gives: it is the caller's again when the call settles, while slower members still read. */
  #contribute(call: CallKind, tag: string, { length, blocks }: Contribution): void {
    const shared = blocks.map(({ start, end, values }) => {
      const buffer = this.#pool.acquire(values.length);
      new Float32Array(buffer, 0, values.length).set(values);
      return { start, end, buffer };
    });
    this.#lent.set(tag, shared);
    this.#send({ op: "contribute", call, tag, length, blocks: shared });
  }

  #receive(message: ToMember): void {
    switch (message.op) {
      case "gathered":
        this.#takeBlocks(message);
        break;
      case "sum":
        this.#addSlice(message);
        break;
      case "reduced":
        this.#takeResult(message);
        break;
      case "free":
        for (const { buffer } of this.#lent.get(message.tag) ?? []) this.#pool.release(buffer);
        this.#lent.delete(message.tag);
        break;
      case "failed":
        this.#lent.delete(message.tag); // others may still read them: left to the collector
        this.#pending.get(message.tag)?.settle(decodeError(message.error));
        break;
      default:
        message satisfies never;
    }
  }

  #takeBlocks({ tag, length, blocks }: Extract<ToMember, { op: "gathered" }>): void {
    const pending = this.#pending.get(tag);
    if (pending) pending.out ??= new Float32Array(length);
    for (const { start, buffer } of blocks) {
      pending?.out?.set(new Float32Array(buffer, 0, length), start * length);
    }
    this.#send({ op: "done", tag });
    pending?.settle();
  }

  /** Done for a call that was cancelled too: the others wait for it. */
  #addSlice({ tag, leaves, result, first, count }: Extract<ToMember, { op: "sum" }>): void {
    const startedAt = performance.now();
    const parts = leaves.map(({ buffer }) => ({ values: new Float32Array(buffer), first }));
    this.#adder.add(parts, 0, count, { values: new Float32Array(result), first });
    this.#send({ op: "summed", tag });
    const pending = this.#pending.get(tag);
    if (!pending) return;
    pending.computeMs = performance.now() - startedAt;
    pending.summedMs = performance.now() - pending.startedAt;
  }

  #takeResult({ tag, result }: Extract<ToMember, { op: "reduced" }>): void {
    const pending = this.#pending.get(tag);
    pending?.out?.set(new Float32Array(result, 0, pending.out.length));
    this.#send({ op: "done", tag });
    pending?.settle();
  }

  #report(tag: string, { call, out, startedAt, bytesOut, computeMs, sentMs, summedMs }: Pending): void {
    const totalMs = performance.now() - startedAt;
    const bytesIn = (out?.length ?? 0) * 4;
    const metrics = { call, tag, bytesOut, bytesIn, sentMs, summedMs, totalMs, computeMs };
    this.#traffic = addTraffic(this.#traffic, metrics);
    this.#onMetrics?.(metrics);
  }

  #send(message: ToHub): void {
    this.#seat.port.postMessage(message);
  }

  #failAll(): void {
    this.#closed = true;
    for (const { settle } of [...this.#pending.values()]) settle(new CancelledError("The collective was closed."));
  }
}
