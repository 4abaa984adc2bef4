import type { MessagePort } from "node:worker_threads";
import { MessageChannel } from "node:worker_threads";
import { encodeError, PeerLostError, ShapeError } from "@gmc/core";
import type { Assignment } from "../assignment.ts";
import { assignment } from "../assignment.ts";
import type { CallKind } from "../collective.ts";
import { DEFAULT_TIMEOUT_MS } from "../collective.ts";
import type { LocalSeat, SharedBlock, ToHub, ToMember } from "./local-messages.ts";
import { SharedPool } from "./shared-pool.ts";

export interface LocalHubOptions {
  readonly wire?: "fp32" | "bf16";
  readonly timeoutMs?: number;
}

/** Where the members of a local group meet. */
export interface LocalHub {
  /** One a rank, for `joinLocal`, in this thread or another one. */
  readonly seats: readonly LocalSeat[];
  /** Ends the group: what waits fails. */
  close(): void;
}

/** Opens a group of so many members over shared memory. @throws {RangeError} for an assignment that is none */
export function openLocalHub(
  shardsOfWorkers: readonly (readonly number[])[],
  { wire = "fp32", timeoutMs = DEFAULT_TIMEOUT_MS }: LocalHubOptions = {},
): LocalHub {
  const shares = assignment(shardsOfWorkers);
  const channels = shardsOfWorkers.map(() => new MessageChannel());
  const hub = new Hub(
    shares,
    channels.map(({ port1 }) => port1),
    timeoutMs,
  );
  const seats = channels.map(({ port2 }, rank) => ({ port: port2, rank, shardsOfWorkers, wire }));
  return { seats, close: () => hub.close() };
}

/** What is known of one tag. */
interface Exchange {
  readonly call: CallKind;
  /** Null until who gives the values of a broadcast has come. */
  length: number | null;
  readonly blocks: SharedBlock[];
  readonly contributed: Set<number>;
  readonly summed: Set<number>;
  readonly done: Set<number>;
  /** Since when each rank waits, and what ends its waiting. */
  readonly waiting: Map<number, { readonly since: number; readonly timer: NodeJS.Timeout }>;
  result?: SharedArrayBuffer;
}

class Hub {
  readonly #shares: Assignment;
  readonly #ports: readonly MessagePort[];
  readonly #timeoutMs: number;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #gone = new Set<number>();
  readonly #pool = new SharedPool();

  constructor(shares: Assignment, ports: readonly MessagePort[], timeoutMs: number) {
    this.#shares = shares;
    this.#ports = ports;
    this.#timeoutMs = timeoutMs;
    for (const [rank, port] of ports.entries()) {
      port.on("message", (message: ToHub) => this.#receive(rank, message));
      port.on("close", () => this.#lose(rank));
      port.unref();
    }
  }

  close(): void {
    for (const port of this.#ports) port.close();
  }

  #receive(rank: number, message: ToHub): void {
    if (message.op === "contribute") {
      this.#contribute(rank, message);
      return;
    }
    const exchange = this.#exchanges.get(message.tag);
    if (!exchange) return; // failed meanwhile
    if (message.op === "summed") this.#summed(message.tag, exchange, rank);
    else this.#done(message.tag, exchange, rank);
  }

  #contribute(rank: number, { tag, call, length, blocks }: Extract<ToHub, { op: "contribute" }>): void {
    const exchange = this.#exchanges.get(tag) ?? newExchange(call, length);
    this.#exchanges.set(tag, exchange);
    const timer = setTimeout(() => this.#expire(tag, exchange, rank), this.#timeoutMs);
    exchange.waiting.set(rank, { since: performance.now(), timer });
    exchange.length ??= length;
    if (exchange.call !== call || (length !== null && exchange.length !== length)) {
      const [expected, received] = [exchange.length ?? 0, length ?? 0];
      this.#fail(tag, exchange, new ShapeError(`${call} "${tag}", rank ${rank}`, [expected], [received]));
      return;
    }
    exchange.blocks.push(...blocks);
    exchange.contributed.add(rank);
    if (exchange.contributed.size === this.#shares.ranks) this.#complete(tag, exchange);
    for (const gone of this.#gone) this.#failWithout(tag, exchange, gone);
  }

  /** All contributions are here. */
  #complete(tag: string, exchange: Exchange): void {
    const { call } = exchange;
    const length = exchange.length ?? 0;
    exchange.blocks.sort((a, b) => a.start - b.start);
    if (call !== "reduce") {
      this.#sendAll({ op: "gathered", tag, length, blocks: exchange.blocks });
      return;
    }
    const result = this.#pool.acquire(length);
    exchange.result = result;
    const { ranks } = this.#shares;
    for (const [rank, port] of this.#ports.entries()) {
      const first = Math.floor((rank * length) / ranks);
      const count = Math.floor(((rank + 1) * length) / ranks) - first;
      this.#send(port, { op: "sum", tag, leaves: exchange.blocks, result, first, count });
    }
  }

  #summed(tag: string, exchange: Exchange, rank: number): void {
    exchange.summed.add(rank);
    if (exchange.summed.size < this.#shares.ranks || !exchange.result) return;
    this.#sendAll({ op: "reduced", tag, result: exchange.result });
  }

  #done(tag: string, exchange: Exchange, rank: number): void {
    exchange.done.add(rank);
    clearTimeout(exchange.waiting.get(rank)?.timer);
    exchange.waiting.delete(rank);
    if (exchange.done.size < this.#shares.ranks) return;
    this.#exchanges.delete(tag);
    if (exchange.result) this.#pool.release(exchange.result);
    this.#sendAll({ op: "free", tag });
  }

  #expire(tag: string, exchange: Exchange, rank: number): void {
    const missing = this.#firstMissing(exchange);
    if (missing !== undefined) this.#failOne(tag, exchange, rank, missing);
  }

  #lose(rank: number): void {
    this.#gone.add(rank);
    for (const [tag, exchange] of [...this.#exchanges]) this.#failWithout(tag, exchange, rank);
  }

  /** Fails who waits for a rank that is gone. */
  #failWithout(tag: string, exchange: Exchange, gone: number): void {
    const needed = exchange.call === "reduce" ? exchange.summed : exchange.contributed;
    if (needed.has(gone)) return;
    for (const rank of [...exchange.waiting.keys()]) this.#failOne(tag, exchange, rank, gone);
  }

  #firstMissing(exchange: Exchange): number | undefined {
    const ranks = this.#ports.map((_, rank) => rank);
    const without = (set: ReadonlySet<number>) => ranks.find((rank) => !set.has(rank));
    return without(exchange.contributed) ?? (exchange.call === "reduce" ? without(exchange.summed) : undefined);
  }

  #failOne(tag: string, exchange: Exchange, rank: number, missing: number): void {
    const waiting = exchange.waiting.get(rank);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    exchange.waiting.delete(rank);
    const error = new PeerLostError(missing, performance.now() - waiting.since);
    this.#send(this.#ports[rank], { op: "failed", tag, error: encodeError(error) });
  }

  #fail(tag: string, exchange: Exchange, error: Error): void {
    for (const [rank, { timer }] of exchange.waiting) {
      clearTimeout(timer);
      this.#send(this.#ports[rank], { op: "failed", tag, error: encodeError(error) });
    }
    exchange.waiting.clear();
  }

  #sendAll(message: ToMember): void {
    for (const port of this.#ports) this.#send(port, message);
  }

  #send(port: MessagePort | undefined, message: ToMember): void {
    port?.postMessage(message);
  }
}

const newExchange = (call: CallKind, length: number | null): Exchange => ({
  call,
  length,
  blocks: [],
  contributed: new Set(),
  summed: new Set(),
  done: new Set(),
  waiting: new Map(),
});
