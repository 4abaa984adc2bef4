import type { Lease, RedisConnection } from "@gmc/redis";
import { acquireLease, releaseLease, renewLease, tokenKey } from "@gmc/redis";

/**
 * A lease that is held for a while. When it has run out (this process slept, Redis was away) and nobody has had it since,
 * which the fencing token tells, it is simply held again.
 */
export class HeldLease {
  readonly #control: RedisConnection;
  readonly #key: string;
  readonly #owner: string;
  readonly #ttlMs: number;
  #lease: Lease | undefined;

  /** @param owner  random, of this process */
  constructor(control: RedisConnection, key: string, owner: string, ttlMs: number) {
    this.#control = control;
    this.#key = key;
    this.#owner = owner;
    this.#ttlMs = ttlMs;
  }

  /** What guards a compare-and-set; undefined while it is not held. */
  get lease(): Lease | undefined {
    return this.#lease;
  }

  /** True when it is ours now; false while somebody else has it. */
  async acquire(): Promise<boolean> {
    this.#lease = (await acquireLease(this.#control, this.#key, this.#owner, this.#ttlMs)) ?? undefined;
    return this.#lease !== undefined;
  }

  /** True when it is still ours, without anybody having had it in between. */
  async renew(): Promise<boolean> {
    const before = this.#lease;
    if (!before) return false;
    if (await renewLease(this.#control, before, this.#ttlMs)) return true;
    if (!(await this.acquire())) return false;
    const token = this.#lease?.token ?? 0;
    return token === before.token + 1 || token <= before.token; // the latter: a server that forgot
  }

  async release(): Promise<void> {
    const held = this.#lease;
    this.#lease = undefined;
    if (held) await releaseLease(this.#control, held);
  }

  /** Gives it back for good: nobody will ask for it again. */
  async remove(): Promise<void> {
    await this.release();
    await this.#control.command(["DEL", tokenKey(this.#key)]);
  }
}
