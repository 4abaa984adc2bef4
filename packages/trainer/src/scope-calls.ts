import { setMaxListeners } from "node:events";
import type { AddInPlace, Collective, Subtree } from "@gmc/collectives";
import type { Range } from "@gmc/core";

/** What a step spent on its group. */
export interface StepExchange {
  /** Waited for gathers. */
  readonly gatherMs: number;
  /** From the first part's reduction to the end of the last, most of it while the next part's backward runs. */
  readonly reduceMs: number;
  /** Of that, after the last backward. */
  readonly reduceWaitMs: number;
  /** Waited for the commit. */
  readonly commitMs: number;
  /** Bytes to and from other workers or Redis. */
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/**
 * The calls of one scope (a step, a validation batch) on a collective. The first that fails ends the others, and nothing
 * is under way once `stop` or `release` has resolved.
 */
export class ScopeCalls {
  readonly #collective: Collective;
  readonly #scope: string;
  readonly #stop = new AbortController();
  readonly #forget: () => void;
  readonly #running = new Set<Promise<unknown>>();
  readonly #reductions: Promise<unknown>[] = [];
  readonly #before: Collective["traffic"];
  #failure: unknown;
  #gatherMs = 0;
  #reduceBegan: number | undefined;
  #reduceMs = 0;
  #reduceWaitMs = 0;
  #commitMs = 0;

  /** @param signal  ends every wait */
  constructor(collective: Collective, scope: string, signal?: AbortSignal) {
    this.#collective = collective;
    this.#scope = scope;
    this.#before = collective.traffic;
    setMaxListeners(0, this.#stop.signal); // one a call under way
    const stop = (): void => this.#stop.abort(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
    this.#forget = () => signal?.removeEventListener("abort", stop);
  }

  /** Starts a gather. */
  gather(name: string, own: ReadonlyMap<number, Float32Array>, into?: Float32Array): Promise<Float32Array> {
    return this.#track(this.#collective.gather(`${this.#scope}/${name}`, own, this.#stop.signal, into));
  }

  /** Waits for a gather, and counts that. */
  async gathered<T>(gather: Promise<T>): Promise<T> {
    const began = performance.now();
    const result = await gather;
    this.#gatherMs += performance.now() - began;
    return result;
  }

  /** Starts the reduction of one range of the gradient, into `sum`, all of it. @param add as in `Collective.reduce` */
  reduce({ start, end }: Range, own: ReadonlyMap<Subtree, Float32Array>, sum: Float32Array, add?: AddInPlace): void {
    this.#reduceBegan ??= performance.now();
    const into = sum.subarray(start, end);
    const tag = `${this.#scope}/gradient/${start}-${end}`;
    this.#reductions.push(this.#track(this.#collective.reduce(tag, own, this.#stop.signal, into, add)));
  }

  /** Waits for all reductions. */
  async reduced(): Promise<void> {
    const began = performance.now();
    await Promise.all(this.#reductions);
    const ended = performance.now();
    this.#reduceWaitMs += ended - began;
    if (this.#reduceBegan !== undefined) this.#reduceMs = ended - this.#reduceBegan;
  }

  async committed(commit: Promise<void>): Promise<void> {
    const began = performance.now();
    await commit;
    this.#commitMs += performance.now() - began;
  }

  /** Ends what is under way and waits for it. Gives what went wrong first: `error`, or the call that ended the others. */
  async stop(error: unknown): Promise<unknown> {
    this.#forget();
    this.#stop.abort(error);
    await Promise.allSettled(this.#running);
    if (this.#collective.shardsOfWorkers.length === 1) await this.release(); // a group of one can make the step again
    return this.#failure ?? error;
  }

  /** Says that nothing of the scope is needed any more. */
  async release(): Promise<void> {
    this.#forget();
    await this.#collective.release(this.#scope);
  }

  get exchange(): StepExchange {
    const { bytesOut, bytesIn } = this.#collective.traffic;
    return {
      gatherMs: this.#gatherMs,
      reduceMs: this.#reduceMs,
      reduceWaitMs: this.#reduceWaitMs,
      commitMs: this.#commitMs,
      bytesOut: bytesOut - this.#before.bytesOut,
      bytesIn: bytesIn - this.#before.bytesIn,
    };
  }

  #track<T>(call: Promise<T>): Promise<T> {
    this.#running.add(call);
    const fail = (error: unknown): void => {
      this.#running.delete(call);
      if (this.#stop.signal.aborted) return;
      this.#failure = error;
      this.#stop.abort(error);
    };
    call.then(() => this.#running.delete(call), fail); // thrown where it is awaited
    return call;
  }
}
