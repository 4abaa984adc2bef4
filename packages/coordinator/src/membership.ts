import type { EncodedError } from "@gmc/core";
import type { GenerationPlan, TaskReport, WorkerReport } from "@gmc/protocol";
import { endsTheRun } from "@gmc/protocol";

/** Everything that decides who trains a run next. Times are the caller's business: here are only facts. */
export interface Situation {
  readonly run: string;
  /** V: nobody can do less than one. */
  readonly shards: number;
  readonly workers: { readonly min: number; readonly max: number };
  /** The open generation; null before the first. */
  readonly generation: OpenGeneration | null;
  /** Workers that are alive, by id. */
  readonly reports: ReadonlyMap<string, WorkerReport>;
  /** Nobody can be declared dead: the coordinator, or Redis, was away itself until a moment ago. */
  readonly blind: boolean;
  /** Workers that were invited or take part, by id, in the order in which they came. */
  readonly claimed: readonly string[];
  /** Workers that may be invited, by id. */
  readonly free: readonly string[];
  /** Why workers do not take part any more, by id. */
  readonly excluded: ReadonlyMap<string, EncodedError>;
  /** Everybody who is invited has had time enough to get ready. */
  readonly settled: boolean;
  /** Members have had time enough to take up their generation. */
  readonly overdue: boolean;
  /** The open generation cannot go on, whatever its members say: a server has lost what it had. */
  readonly voided: string | null;
  /** The run is to leave a checkpoint and end. */
  readonly cancelled: boolean;
}

export interface OpenGeneration {
  readonly id: string;
  /** In the order of ranks. */
  readonly members: readonly string[];
  readonly action: GenerationPlan["action"];
}

/** What to do now; workers that are not claimed after it are free again. */
export interface Decision {
  readonly next: /** The generation goes on. */
    | { readonly kind: "keep" }
    | {
        readonly kind: "open";
        readonly members: readonly string[];
        readonly action: GenerationPlan["action"];
        readonly cause: string;
      }
    /** Nobody trains. */
    | { readonly kind: "wait"; readonly reason: string }
    | { readonly kind: "fail"; readonly error: EncodedError };
  readonly invite: readonly string[];
  /** Claimed workers that are not wanted any more, and why. */
  readonly drop: ReadonlyMap<string, Drop>;
}

/** `strikes`: it is not to be invited to this run again. */
export interface Drop {
  readonly cause: string;
  readonly strikes?: EncodedError;
}

/** Decides from facts alone: the same situation, the same decision. */
export function decide(situation: Situation): Decision {
  const { generation, claimed, workers, shards, cancelled } = situation;
  const failure = failureOf(situation);
  if (failure) return { next: { kind: "fail", error: failure }, invite: [], drop: new Map() };
  const drop = dropped(situation);
  const staying = claimed.filter((id) => !drop.has(id));
  if (generation?.members.some((id) => isSaving(situation, id) && staying.includes(id)) && !cancelled) {
    return { next: { kind: "keep" }, invite: [], drop };
  }
  const members = generation?.members.filter((id) => staying.includes(id)) ?? [];
  const ready = staying.filter((id) => !members.includes(id) && isReady(situation, id));
  if (cancelled) return { next: ending(situation, [...members, ...ready]), invite: [], drop };

  const most = Math.min(workers.max, shards);
  if (!generation && staying.length + situation.free.length < workers.min) {
    for (const id of staying) drop.set(id, { cause: "too few for the run to begin" }); // others may need it
    return { next: shortOf(situation, ready.length, workers.min), invite: [], drop };
  }
  const invite = situation.free.slice(0, Math.max(0, most - staying.length));
  const preparing = staying.length > members.length + ready.length || invite.length > 0;
  const patient = preparing && !situation.settled;
  const all = [...members, ...ready].slice(0, most);
  const nextIs = (cause: string): Decision["next"] => ({ kind: "open", members: all, action: "train", cause });
  const decided = (next: Decision["next"]): Decision => ({ next, invite, drop });

  if (!generation) {
    if (all.length >= workers.min && !patient) return decided(nextIs("the run begins"));
    return decided(shortOf(situation, all.length, workers.min));
  }
  const broken = breakOf(situation, drop);
  if (broken === null) {
    if (all.length > members.length && !patient) return decided(nextIs(`${names(ready, situation)} joined`));
    return decided({ kind: "keep" });
  }
  if (all.length > 0) return decided(nextIs(broken));
  const last = lastToLeave(situation);
  if (last !== undefined) {
    drop.delete(last);
    const cause = `${broken}, the last one: it leaves a checkpoint`;
    return decided({ kind: "open", members: [last], action: "keep", cause });
  }
  return decided(shortOf(situation, 0, 1));
}

const taskOf = ({ reports, run }: Situation, id: string): TaskReport | undefined => {
  const task = reports.get(id)?.task;
  return task?.run === run ? task : undefined;
};

/** Has opened data and model, and waits: for its first generation, or for the next one. */
function isReady(situation: Situation, id: string): boolean {
  const stage = taskOf(situation, id)?.stage;
  return stage === "ready" || stage === "ended" || stage === "training";
}

/** Leaves the run's checkpoint right now, because nobody else is there to go on. */
function isSaving(situation: Situation, id: string): boolean {
  const { generation, reports } = situation;
  if (generation?.action !== "keep" || !generation.members.includes(id) || !reports.has(id)) return false;
  const task = taskOf(situation, id);
  return task !== undefined && (task.generation !== generation.id || task.stage === "training");
}

/** A member that leaves when nobody else is there: what it has applied since the last checkpoint would be lost. */
function lastToLeave(situation: Situation): string | undefined {
  const { generation, reports, voided } = situation;
  if (generation?.action !== "train" || voided !== null) return undefined;
  return generation.members.find((id) => {
    const task = taskOf(situation, id);
    const took = task?.generation === generation.id && (task.stage === "training" || task.stage === "ended");
    return took && reports.get(id)?.state === "leaving";
  });
}

/** What no other worker would do better. */
function failureOf(situation: Situation): EncodedError | undefined {
  const { claimed, generation } = situation;
  for (const id of claimed) {
    const task = taskOf(situation, id);
    if (task?.stage === "refused" && task.error && endsTheRun(task.error)) return task.error;
    if (task?.outcome === "failed" && task.error && task.generation === generation?.id) return task.error;
  }
  return tooManyRefusals(situation);
}

/** There would be enough workers, busy ones counted, had some not refused: waiting would not help. */
function tooManyRefusals({ generation, reports, excluded, workers }: Situation): EncodedError | undefined {
  const refusals = [...reports.keys()].flatMap((id) => excluded.get(id) ?? []).filter(({ code }) => code !== UNHEARD);
  const [first] = refusals;
  const wanted = generation ? 1 : workers.min;
  const able = reports.size - refusals.length;
  return first && able < wanted && reports.size >= wanted ? first : undefined;
}

/** Who of the claimed workers is out, and why. */
function dropped(situation: Situation): Map<string, Drop> {
  const { claimed, reports, blind, generation, overdue } = situation;
  const drop = new Map<string, Drop>();
  for (const id of claimed) {
    const report = reports.get(id);
    const task = taskOf(situation, id);
    const isMember = generation?.members.includes(id) ?? false;
    if (!report) {
      if (!blind) drop.set(id, { cause: `${id} is silent` });
    } else if (report.state === "leaving" && !isSaving(situation, id))
      drop.set(id, { cause: `${nameOf(report)} leaves` });
    else if (task?.stage === "refused" && task.error) {
      drop.set(id, { cause: `${nameOf(report)} refused: ${task.error.message}`, strikes: task.error });
    } else if (isMember && overdue && task?.generation !== generation?.id) {
      drop.set(id, { cause: `${nameOf(report)} does not take part` });
    }
  }
  for (const [id, drop_] of lostPeers(situation)) if (!drop.has(id)) drop.set(id, drop_);
  return drop;
}

/**
 * Who members could not hear, although their heartbeats come: they reach the control server, but not the reduce servers.
 * Members that complain themselves are not to blame: they would have been heard.
 */
function lostPeers(situation: Situation): ReadonlyMap<string, Drop> {
  const { generation } = situation;
  const lost = new Map<string, Drop>();
  for (const id of generation?.members ?? []) {
    const task = taskOf(situation, id);
    if (task?.generation !== generation?.id || task?.error?.code !== UNHEARD) continue;
    const peer = generation?.members[Number(task.error.details.rank)];
    if (peer === undefined || peer === id || taskOf(situation, peer)?.stage === "ended") continue;
    const message = `${peer} was not heard by ${id}: ${task.error.message}`;
    lost.set(peer, { cause: message, strikes: { code: UNHEARD, message, details: task.error.details } });
  }
  return lost;
}

/** Why the open generation cannot go on; null where it can. */
function breakOf(situation: Situation, drop: ReadonlyMap<string, Drop>): string | null {
  const { generation, voided, reports } = situation;
  if (!generation) return null;
  if (voided !== null) return voided;
  const gone = generation.members.flatMap(
    (id) => drop.get(id)?.cause ?? (situation.claimed.includes(id) ? [] : [`${id} is gone`]),
  );
  if (gone.length > 0) return gone.join("; ");
  for (const id of generation.members) {
    const task = taskOf(situation, id);
    const report = reports.get(id);
    if (task?.generation !== generation.id || task.outcome !== "interrupted" || !report) continue;
    return `${nameOf(report)} was interrupted: ${task.error?.message ?? "no reason given"}`;
  }
  return null;
}

/** Of a worker that its peers could not hear: it may be well again in a while. */
export const UNHEARD = "ERR_PEER_LOST";

/** One worker leaves a checkpoint. */
function ending(situation: Situation, able: readonly string[]): Decision["next"] {
  const { generation } = situation;
  const [first] = able;
  if (first === undefined) {
    const message = generation
      ? "Cancelled while no worker was there; the last checkpoint stands."
      : "Cancelled before it began; nothing was written.";
    return { kind: "fail", error: { code: "ERR_CANCELLED", message, details: {} } };
  }
  const under = generation?.action === "save" && generation.members[0] === first;
  if (under && breakOf(situation, new Map()) === null) return { kind: "keep" };
  return { kind: "open", members: [first], action: "save", cause: "the job was cancelled" };
}

function shortOf({ reports, excluded }: Situation, ready: number, wanted: number): Decision["next"] {
  const others = [...reports.values()].filter(({ state, id }) => state === "busy" && !excluded.has(id)).length;
  const refused = [...excluded].map(([id, { message }]) => `${id} refused: ${message}`);
  const there = `${reports.size} alive, ${others} busy, ${ready} ready`;
  const reason = [`waits for ${wanted} worker${wanted === 1 ? "" : "s"} (${there})`, ...refused].join("; ");
  return { kind: "wait", reason };
}

const nameOf = ({ id, host }: WorkerReport): string => `${id} on ${host}`;
const names = (ids: readonly string[], { reports }: Situation): string =>
  ids
    .map((id) => {
      const report = reports.get(id);
      return report ? nameOf(report) : id;
    })
    .join(", ");
