import { randomUUID } from "node:crypto";
import type { RunKeys } from "@gmc/protocol";
import { runKeys } from "@gmc/protocol";
import type { Lease, RedisConnection, VersionedRecord } from "@gmc/redis";
import { compareAndSet, leaseGuard, raiseFence, readRecord, tokenKey, trackKey } from "@gmc/redis";
import type { ProtocolHook } from "../protocol-point.ts";
import { DEFAULT_GUARD_MS } from "../redis/redis-collective.ts";
import type { Marker } from "./marker.ts";
import { compareMarkers, markerName, parseMarker } from "./marker.ts";

/** A generation's name: the number orders, the random id is compared. */
export interface GenerationName {
  readonly number: number;
  readonly id: string;
}

/** The last thing that was committed. */
export interface Committed {
  readonly marker: Marker;
  /** Where its values lie, as long as they do. */
  readonly generation: GenerationName;
  /** JSON that was committed with it: what a validation decided, a digest. */
  readonly outcome: unknown;
}

/** An open generation. */
export interface Generation extends GenerationName {
  /** JSON of who opened it: shards, servers, wire format, whatever its members must agree on. */
  readonly plan: unknown;
  /** What was committed when it was opened; members go on from there. */
  readonly base: Committed | null;
}

export interface GenerationProposal {
  /** Id of the generation that it replaces; null where none may be open. */
  readonly after: string | null;
  readonly plan: unknown;
  /** Random and the same when it is proposed again by the same attempt. */
  readonly proposal?: string;
  /** Servers of the reduce role, whose fences are raised. */
  readonly servers: readonly RedisConnection[];
  /** The right to open generations of this run. */
  readonly lease?: Lease;
  readonly guardMs?: number;
}

/** `lost`: another generation is open than the one to be replaced. `unleased`: the lease is not held any more. */
export type GenerationOutcome =
  | { readonly status: "opened"; readonly generation: Generation }
  | { readonly status: "lost"; readonly current: Generation | null }
  | { readonly status: "unleased" };

export interface CommitProposal {
  readonly generation: GenerationName;
  /** What has to be committed last; null before the first commit. */
  readonly after: Marker | null;
  readonly marker: Marker;
  /** JSON to be committed with it. Of several proposals one wins: read it from the outcome. */
  readonly outcome?: unknown;
  /** Random and the same when it is proposed again. */
  readonly proposal?: string;
}

/**
 * `committed`: by this proposal, now or before, or by a peer of the same generation, whose content is the same; a peer may
 * have committed what follows it too.
 * `stale`: another generation is open, or none. `elsewhere`: this generation is open, but what was committed last is
 * neither `after` nor `marker`: the server has forgotten something, and a new generation has to be opened.
 */
export type CommitOutcome =
  | { readonly status: "committed"; readonly committed: Committed }
  | { readonly status: "stale"; readonly current: string | null }
  | { readonly status: "elsewhere"; readonly committed: Committed | null };

/** Times that a fence may know a later number than the control server. */
const NUMBER_ATTEMPTS = 5;

/**
 * The commit log of a run, on the control server. A step changes nothing before its marker is committed; who opens a
 * generation takes the right to commit from all others in the same moment. Both are compare-and-set with the proposal's
 * id, so a proposal that is sent again, because a connection broke, is not mistaken for a second one.
 */
export class CommitLog {
  readonly #control: RedisConnection;
  readonly #keys: RunKeys;
  readonly #hook: ProtocolHook;

  /** @throws {RangeError} when the run's id cannot be part of a key */
  constructor(control: RedisConnection, run: string, hook: ProtocolHook = () => {}) {
    this.#control = control;
    this.#keys = runKeys(run);
    this.#hook = hook;
  }

  /** The open generation, or null. */
  async generation(): Promise<Generation | null> {
    return generationOf(await readRecord(this.#control, this.#keys.generation));
  }

  /** What was committed last, or null. */
  async committed(): Promise<Committed | null> {
    return committedOf(await readRecord(this.#control, this.#keys.commit));
  }

  /**
   * Opens a generation and raises the fences: from here on no other one can write or commit. Members are told of it after
   * this has resolved, not before. A fence that knows a later number (the control server has lost its last second) makes
   * it open another one with a number behind that.
   */
  async openGeneration(proposal: GenerationProposal): Promise<GenerationOutcome> {
    const { servers, guardMs = DEFAULT_GUARD_MS } = proposal;
    let { after, proposal: id = randomUUID() } = proposal;
    let known = (await this.generation())?.number ?? 0;
    for (let attempt = 0; attempt < NUMBER_ATTEMPTS; attempt++) {
      const outcome = await this.#propose({ ...proposal, after }, id, known + 1);
      if (outcome.status !== "opened") return outcome;
      const { generation } = outcome;
      const fences = await Promise.all(servers.map((server) => raiseFence(server, this.#keys, generation, guardMs)));
      const refused = fences.filter(({ status }) => status === "refused").map(({ number }) => number);
      if (refused.length === 0) return outcome;
      known = Math.max(generation.number, ...refused);
      after = generation.id;
      id = randomUUID();
    }
    throw new Error(`The fences of ${this.#keys.prefix} are raised by somebody else again and again.`);
  }

  /** Commits `marker` if `after` was committed last and the generation is still open. */
  async commit(proposal: CommitProposal): Promise<CommitOutcome> {
    const { generation, after, marker, outcome = null } = proposal;
    const name = markerName(marker);
    await this.#hook("commit:before", name);
    const answer = await compareAndSet(this.#control, {
      key: this.#keys.commit,
      expected: after ? markerName(after) : null,
      version: name,
      proposal: proposal.proposal ?? randomUUID(),
      value: JSON.stringify({ generation: { number: generation.number, id: generation.id }, outcome }),
      guards: [{ key: this.#keys.generation, version: generation.id }],
    });
    await this.#hook("commit:after", name);
    const committed = committedOf(answer.record);
    const isOurs = committed?.generation.id === generation.id && compareMarkers(committed.marker, marker) >= 0;
    if (committed && isOurs) return { status: "committed", committed };
    if (answer.status === "guarded") return { status: "stale", current: answer.guard || null };
    return { status: "elsewhere", committed };
  }

  /**
   * Sets what was committed last to what workers have applied, where the control server has lost that: to be called
   * before the next generation is opened. Nothing happens where as much or more is committed.
   *
   * @throws {Error} when somebody else goes on committing
   */
  async restore(known: Committed, lease?: Lease): Promise<Committed> {
    const current = await readRecord(this.#control, this.#keys.commit);
    const committed = committedOf(current);
    if (committed && compareMarkers(committed.marker, known.marker) >= 0) return committed;
    const answer = await compareAndSet(this.#control, {
      key: this.#keys.commit,
      expected: current?.version ?? null,
      version: markerName(known.marker),
      proposal: randomUUID(),
      value: JSON.stringify({ generation: known.generation, outcome: known.outcome ?? null }),
      ...(lease && { guards: [leaseGuard(lease)] }),
    });
    const restored = committedOf(answer.record);
    if (answer.status === "set" && restored) return restored;
    throw new Error(`restore: ${answer.status}, ${restored ? markerName(restored.marker) : "nothing"} is committed`);
  }

  async #propose(
    { after, plan, lease }: GenerationProposal,
    proposal: string,
    number: number,
  ): Promise<GenerationOutcome> {
    const { generation: key, commit, registry } = this.#keys;
    const ours = [key, commit, ...(lease ? [lease.key, tokenKey(lease.key)] : [])];
    for (const tracked of ours) await trackKey(this.#control, registry, tracked);
    const id = `${number}-${proposal}`;
    const answer = await compareAndSet(this.#control, {
      key,
      expected: after,
      version: id,
      proposal,
      value: JSON.stringify({ number, plan }),
      capture: commit,
      ...(lease && { guards: [leaseGuard(lease)] }),
    });
    const current = generationOf(answer.record);
    if (answer.status === "guarded") return { status: "unleased" };
    // The number may have been read anew when a proposal is made again, so that it has another version: the id tells.
    const isOurs = answer.record?.proposal === proposal;
    if (current && isOurs) return { status: "opened", generation: current };
    return { status: "lost", current };
  }
}

function generationOf(record: VersionedRecord | null): Generation | null {
  if (!record) return null;
  const { number, plan } = JSON.parse(record.value) as { number: number; plan: unknown };
  const { captured } = record;
  return { number, id: record.version, plan, base: captured && committedFrom(captured.version, captured.value) };
}

const committedOf = (record: VersionedRecord | null): Committed | null =>
  record && committedFrom(record.version, record.value);

function committedFrom(version: string, value: string): Committed {
  const { generation, outcome } = JSON.parse(value) as { generation: GenerationName; outcome: unknown };
  return { marker: parseMarker(version), generation, outcome };
}
