import { randomUUID } from "node:crypto";
import type { Collective, Generation, Marker, ProtocolHook } from "@gmc/collectives";
import { CommitLog, openRedisCollective } from "@gmc/collectives";
import type { Logger, TrainState } from "@gmc/core";
import { encodeError, StaleGenerationError } from "@gmc/core";
import type { JudgedRun, RunConfig, RunRecord, Training } from "@gmc/experiment";
import { trainMember } from "@gmc/experiment";
import type { GenerationPlan, MemberProgress, RunResult, TaskReport } from "@gmc/protocol";
import { endsTheRun, runKeys } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { compareAndSet } from "@gmc/redis";
import { markerOf } from "@gmc/trainer";
import type { FirstRankMemory } from "./first-rank.ts";
import { openFirstRank } from "./first-rank.ts";
import { generationGroup } from "./generation-group.ts";
import { progressTo } from "./member-progress.ts";
import type { RunStore } from "./stored-run.ts";
import { syncState } from "./sync.ts";

export interface MemberOptions {
  readonly control: RedisConnection;
  /** URL of the control server, which has the reduce role too where the plan names no other. */
  readonly redis: string;
  readonly run: string;
  /** Id of this worker. */
  readonly worker: string;
  /** Id of the generation to take part in. */
  readonly generation: string;
  readonly training: Training;
  readonly stepsPerEpoch: number;
  readonly config: RunConfig;
  /** What this worker has applied; null where it has nothing. */
  readonly state: TrainState | null;
  /** Ends the part in this generation: nothing is changed any more. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly hook?: ProtocolHook;
  readonly store?: RunStore;
  readonly memory: FirstRankMemory;
  /**
   * What is found out about the run when it has been trained; called on the first rank.
   *
   * @param folder  the run's
   */
  readonly judge: (record: RunRecord, folder: string) => Promise<JudgedRun>;
  /** Its place in the generation is known. */
  readonly onPlace?: (rank: number) => void;
  readonly onCommitted: (marker: Marker) => void;
  readonly onProgress: (progress: MemberProgress) => void;
}

/** How a part in a generation ended, and what the worker has applied. */
export interface MemberEnd {
  readonly state: TrainState | null;
  readonly report: Pick<TaskReport, "stage" | "outcome" | "error">;
}

/** Takes part in one generation of a run: meets the others, agrees with them on the state, trains, tells how it ended. */
export async function runMember(options: MemberOptions): Promise<MemberEnd> {
  const known: Known = { state: options.state, calling: true };
  try {
    await takePart(options, known);
    return { state: known.state, report: { stage: "ended", outcome: "done" } };
  } catch (error) {
    return { state: known.state, report: failureReport(error, known.calling || options.signal.aborted) };
  }
}

/** What has been applied so far, whatever happens next. */
interface Known {
  state: TrainState | null;
  /** The others are called right now, over Redis: what fails then is the group's end. */
  calling: boolean;
}

async function takePart(options: MemberOptions, known: Known): Promise<void> {
  const { control, run, worker, signal, hook } = options;
  const log = new CommitLog(control, run, hook);
  const generation = await log.generation();
  if (generation?.id !== options.generation) throw new StaleGenerationError(options.generation, generation?.id ?? null);
  const plan = generation.plan as GenerationPlan;
  const rank = plan.members.findIndex((member) => member.worker === worker);
  if (rank < 0) throw new StaleGenerationError(generation.id, generation.id);
  options.onPlace?.(rank);
  const collective = openCollective(options, plan, rank);
  const leave = (): void => void collective.close(); // ends every call under way
  signal.addEventListener("abort", leave, { once: true });
  try {
    signal.throwIfAborted();
    await trainTogether(options, { log, generation, plan, collective }, known);
  } finally {
    signal.removeEventListener("abort", leave);
    await collective.close();
  }
}

/** A generation that is open, with this worker's place in it. */
interface Place {
  readonly log: CommitLog;
  readonly generation: Generation;
  readonly plan: GenerationPlan;
  readonly collective: Collective;
}

async function trainTogether(options: MemberOptions, place: Place, known: Known): Promise<void> {
  const { training, stepsPerEpoch, config, signal, logger, onCommitted, onProgress } = options;
  const { log, generation, plan, collective } = place;
  known.calling = false;
  const first = collective.rank === 0 ? await openFirstRank({ ...options, ...place }, known.state) : undefined;
  known.calling = true;
  known.state = await syncState({
    collective,
    model: training.model,
    stepsPerEpoch,
    dataSha256: training.dataset.sha256,
    state: known.state,
    start: first?.state ?? null,
  });
  const applied = markerOf(known.state, stepsPerEpoch);
  if (applied) onCommitted(applied);
  known.calling = false;
  const result = await trainMember({
    training,
    config,
    group: generationGroup({ collective, log, generation, signal, onCommitted }),
    state: known.state,
    ...first?.keeping,
    ...(plan.action !== "train" && { signal: AbortSignal.abort() }),
    logger,
    onProgress: progressTo(onProgress),
  });
  known.state = result.state;
  known.calling = true;
  if (result.status === "interrupted") throw result.cause ?? new StaleGenerationError(generation.id, null);
  if (!result.record || !first) return;
  known.calling = false;
  const judged = result.record.status === "stopped" ? {} : await options.judge(result.record, first.path);
  await first.finish();
  known.calling = true;
  if (plan.action === "keep") return; // it is saved; others will go on
  await leaveResult(options, generation, { record: { ...result.record, ...judged } });
}

function openCollective(options: MemberOptions, plan: GenerationPlan, rank: number): Collective {
  const { redis, run, generation, config, hook } = options;
  const { wire, chunkKiB, timeoutMs } = config.cluster;
  return openRedisCollective({
    servers: plan.servers.length > 0 ? plan.servers : [redis],
    run,
    generation,
    rank,
    shardsOfWorkers: plan.members.map(({ shards }) => shards),
    wire,
    chunkBytes: chunkKiB * 1024,
    timeoutMs,
    ...(hook && { hook }),
  });
}

/** Says what the run ended with, once: whoever says it belongs to the open generation. @throws {StaleGenerationError} */
async function leaveResult({ control, run }: MemberOptions, { id }: Generation, result: RunResult): Promise<void> {
  const { result: key, generation } = runKeys(run);
  const proposal = { key, expected: null, version: "ended", proposal: randomUUID(), value: JSON.stringify(result) };
  const { status } = await compareAndSet(control, { ...proposal, guards: [{ key: generation, version: id }] });
  if (status === "guarded") throw new StaleGenerationError(id, null);
}

/** Codes with which our part in the group is over, and nothing else is wrong. */
const OVER: ReadonlySet<string> = new Set(["ERR_STALE_GENERATION", "ERR_PEER_LOST", "ERR_CANCELLED"]);

/**
 * What the coordinator is told: the next generation goes on (`interrupted`), every worker would fail so (`failed`), or
 * this worker has trouble of its own and others may go on without it (`refused`).
 *
 * @param calling  it came of a call to the others
 */
function failureReport(error: unknown, calling: boolean): MemberEnd["report"] {
  const encoded = encodeError(error);
  if (endsTheRun(encoded)) return { stage: "ended", outcome: "failed", error: encoded };
  if (calling || OVER.has(encoded.code)) return { stage: "ended", outcome: "interrupted", error: encoded };
  return { stage: "refused", error: encoded };
}
