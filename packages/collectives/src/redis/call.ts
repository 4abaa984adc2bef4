import { setMaxListeners } from "node:events";
import { CancelledError, EnvironmentError, PeerLostError } from "@gmc/core";
import type { ValueKind } from "@gmc/protocol";
import type { CallKind, CallMetrics } from "../collective.ts";
import type { ValueStore } from "./value-store.ts";

/**
 * One call under way: everything it started, until when it waits and for whom. It settles when all of that has, so
 * nothing of it touches the caller's memory afterwards.
 */
export class Call {
  readonly tag: string;
  readonly signal: AbortSignal;
  bytesOut = 0;
  bytesIn = 0;
  computeMs = 0;
  readonly #kind: CallKind;
  readonly #controller = new AbortController();
  readonly #startedAt = performance.now();
  readonly #waitingFor = new Map<string, { readonly writer: number; readonly kind: ValueKind }>();
  readonly #stores: readonly ValueStore[];
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #sentMs = 0;
  #summedMs = 0;

  constructor(
    kind: CallKind,
    tag: string,
    {
      stores,
      timeoutMs,
      signal,
    }: { stores: readonly ValueStore[]; timeoutMs: number; signal: AbortSignal | undefined },
  ) {
    this.#kind = kind;
    this.tag = tag;
    this.signal = this.#controller.signal;
    setMaxListeners(0, this.signal); // one a value that is waited for
    this.#stores = stores;
    this.#timer = setTimeout(() => this.abort(this.#timeOut()), timeoutMs);
    const cancel = (): void => {
      this.abort(new CancelledError(`${kind} "${tag}" was cancelled.`, {}, { cause: signal?.reason }));
    };
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
    this.#stopListening = () => signal?.removeEventListener("abort", cancel);
  }

  /** Notes that a value of another rank is waited for, while `wait` does. */
  async waitFor(name: string, writer: number, kind: ValueKind, wait: () => Promise<void>): Promise<void> {
    this.#waitingFor.set(name, { writer, kind });
    await wait();
    this.#waitingFor.delete(name);
  }

  /**
   * Runs `work` on this thread and counts its time. All that touches the caller's memory is done here: not after the call
   * has failed.
   */
  compute<T>(work: () => T): T {
    this.signal.throwIfAborted();
    const startedAt = performance.now();
    const result = work();
    this.computeMs += performance.now() - startedAt;
    return result;
  }

  sent(): void {
    this.#sentMs = performance.now() - this.#startedAt;
    this.#summedMs = this.#sentMs;
  }

  summed(): void {
    this.#summedMs = performance.now() - this.#startedAt;
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /**
   * Waits until all parts have ended or the first has failed, and gives that failure. Nothing touches the caller's memory
   * afterwards.
   */
  async finish(parts: readonly Promise<void>[]): Promise<CallMetrics> {
    const aborted = new Promise<never>((_, reject) => {
      const fail = (): void => reject(this.signal.reason);
      if (this.signal.aborted) fail();
      else this.signal.addEventListener("abort", fail, { once: true });
    });
    try {
      await Promise.race([Promise.all(parts), aborted]);
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error(String(error)));
      for (const store of this.#stores) store.detach(this);
      throw this.signal.reason;
    } finally {
      clearTimeout(this.#timer);
      this.#stopListening();
    }
    return {
      call: this.#kind,
      tag: this.tag,
      bytesOut: this.bytesOut,
      bytesIn: this.bytesIn,
      sentMs: this.#sentMs,
      summedMs: this.#summedMs,
      totalMs: performance.now() - this.#startedAt,
      computeMs: this.computeMs,
    };
  }

  /**
   * Who is missing: a server that does not answer, or else a rank. One that has not given its own part is to blame before
   * one that owes a sum, who may wait itself.
   */
  #timeOut(): Error {
    const silentMs = performance.now() - this.#startedAt;
    const waiting = [...this.#waitingFor.values()];
    const first = waiting.find(({ kind }) => kind !== "sum") ?? waiting[0];
    const silent = this.#stores.find((store) => !store.answers);
    if (first && !silent) return new PeerLostError(first.writer, silentMs);
    const where = silent?.address ?? this.#stores.map((store) => store.address).join(", ");
    const text = `Redis at ${where} has not answered ${this.#kind} "${this.tag}" for ${Math.round(silentMs)} ms.`;
    return new EnvironmentError(text, { address: where });
  }
}
