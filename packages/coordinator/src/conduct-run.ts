import type { Generation, Marker } from "@gmc/collectives";
import { CommitLog, compareMarkers, deleteRun, evenShares, parseMarker } from "@gmc/collectives";
import type { EncodedError } from "@gmc/core";
import { EnvironmentError, encodeError } from "@gmc/core";
import type { JobMember, TrainJobData, TrainJobResult } from "@gmc/jobs";
import type { GenerationPlan, RunJob, RunResult, WorkerReport } from "@gmc/protocol";
import { runKeys } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { describeAddress, readRecord, trackKey } from "@gmc/redis";
import { checkAdmission } from "./admission.ts";
import type { HeldLease } from "./held-lease.ts";
import type { JobReporter } from "./job-reporter.ts";
import type { Decision, Situation } from "./membership.ts";
import { decide, UNHEARD } from "./membership.ts";
import type { Pool } from "./pool.ts";
import type { Registry } from "./registry.ts";
import { RunFailedError } from "./run-failed-error.ts";

/** What conductors of one coordinator share. */
export interface ConductContext {
  readonly control: RedisConnection;
  readonly reduce: readonly { readonly url: string; readonly connection: RedisConnection }[];
  readonly registry: Registry;
  readonly pool: Pool;
  /** Resolves after the next look at the workers. */
  readonly tick: (signal: AbortSignal) => Promise<void>;
  readonly now: () => number;
}

export interface ConductedJob {
  /** The run's id. */
  readonly run: string;
  readonly data: TrainJobData;
  /** Held, and kept up from here on. */
  readonly lease: HeldLease;
  readonly reporter: JobReporter;
  /** The job's data as they are now; undefined when the queue has lost it. @throws {LostRunError} when it is over */
  readonly read: () => Promise<TrainJobData | undefined>;
}

/** Invited workers get so long to be ready before the run begins, or goes on, without them. */
const SETTLE_MS = 5000;
/** Members get so long to take up their generation. */
const TAKE_UP_MS = 15_000;
/** A worker that was not heard may come back after so long. */
const FORGIVE_MS = 30_000;
/** After the result the members get so long to end by themselves. */
const ENDING_MS = 3000;

/**
 * Conducts one run to its end: waits for workers, opens a generation, watches, opens the next one when membership
 * changes, takes the result and removes the run's keys. What another coordinator has begun is gone on with.
 *
 * @throws {RunFailedError} when the run has failed
 * @throws the signal's reason when it fires; the run goes on without us then, and its keys stay
 */
export async function conductRun(
  context: ConductContext,
  job: ConductedJob,
  signal: AbortSignal,
): Promise<TrainJobResult> {
  const conductor = new Conductor(context, job);
  try {
    await conductor.adopt();
    const { report } = job.reporter; // its end may have been told already, and the queue not have taken it
    if (report.error) throw new RunFailedError(report.error);
    const result = report.result ?? (await conductor.toEnd(signal));
    if (result.status !== "stopped") job.reporter.setResult(result);
    await job.reporter.flush(true); // from here on nobody begins it anew
    await conductor.cleanUp(signal);
    return result;
  } catch (error) {
    if (signal.aborted || error instanceof LostRunError) throw error;
    const failure = error instanceof RunFailedError ? error : new RunFailedError(encodeError(error));
    job.reporter.setError(failure.error);
    await job.reporter.flush(true).catch(() => {}); // where the queue has lost the job, its keys go all the same
    await conductor.cleanUp(signal);
    throw failure;
  } finally {
    context.pool.leave(job.run, false);
  }
}

class Conductor {
  readonly #context: ConductContext;
  readonly #job: ConductedJob;
  readonly #runJob: RunJob;
  readonly #log: CommitLog;
  readonly #shards: number;
  readonly #excluded = new Map<string, EncodedError>();
  /** When workers were given up that may be well again. */
  readonly #unheardAt = new Map<string, number>();
  readonly #claimed: string[] = [];
  #generation: (Generation & { readonly plan: GenerationPlan }) | null = null;
  #openedAt: number;
  #invitedAt: number;
  #voided: string | null = null;
  #cancelled: boolean;
  #readAt = Number.NEGATIVE_INFINITY;
  readonly #serverIds = new Map<RedisConnection, string>();

  constructor(context: ConductContext, job: ConductedJob) {
    this.#context = context;
    this.#job = job;
    const { config, out, resume, request, evaluate } = job.data;
    this.#runJob = { config, out, resume, ...(evaluate && { evaluate }) };
    this.#shards = shardsOf(config);
    this.#cancelled = request !== undefined; // a pause leaves a checkpoint too
    this.#log = new CommitLog(context.control, job.run);
    this.#openedAt = context.now();
    this.#invitedAt = context.now();
    for (const server of this.#servers()) this.#serverIds.set(server, server.runId);
  }

  /** Takes the run over as it is: new, or in the middle. */
  async adopt(): Promise<void> {
    const { registry, pool } = this.#context;
    this.#generation = await this.#open();
    pool.join(this.#job.run);
    const members = this.#generation?.plan.members.map(({ worker }) => worker) ?? [];
    const others = [...registry.reports.values()].filter(({ task }) => task?.run === this.#job.run).map(({ id }) => id);
    for (const id of new Set([...members, ...others])) this.#claim(id);
  }

  async toEnd(signal: AbortSignal): Promise<TrainJobResult> {
    for (;;) {
      const record = await this.#result();
      if (record) return record;
      await this.#keepUp();
      await this.#act(decide(this.#situation()));
      this.#tellProgress();
      await this.#job.reporter.flush();
      await this.#context.tick(signal);
    }
  }

  /** Lets the workers go and removes the run's keys, once members have ended or have had time to. */
  async cleanUp(signal: AbortSignal): Promise<void> {
    const { run, lease, reporter } = this.#job;
    const { registry, now, tick, pool } = this.#context;
    const until = now() + ENDING_MS;
    const isBusy = (id: string) => {
      const task = registry.reports.get(id)?.task;
      return task?.run === run && task.stage === "training";
    };
    while (this.#claimed.some(isBusy) && now() < until) await tick(signal);
    this.#tellProgress(); // the last of it
    pool.leave(run, true);
    await lease.remove();
    await deleteRun(this.#servers(), run);
    await reporter.flush(true);
  }

  /** Renews the lease, looks what is wanted of the job, and whether a server has forgotten something. */
  async #keepUp(): Promise<void> {
    const { now } = this.#context;
    if (now() - this.#readAt > REQUEST_MS) {
      this.#readAt = now();
      const data = await this.#job.read(); // first: the lease of a run that is over must not be taken again
      if (!(await this.#job.lease.renew())) throw new LostRunError();
      if (!data) this.#fail(this.#forgotten());
      this.#cancelled = data.request !== undefined;
    }
    for (const server of this.#servers()) {
      if (this.#serverIds.get(server) === server.runId) continue;
      this.#serverIds.set(server, server.runId);
      const found = await this.#open();
      if (this.#generation && !found) this.#fail(this.#forgotten());
      this.#generation = found;
      this.#voided = `Redis at ${describeAddress(server.address)} was restarted`;
    }
  }

  #situation(): Situation {
    const { registry, pool, now } = this.#context;
    const { run, data } = this.#job;
    this.#forgive();
    this.#checkReady();
    const plan = this.#generation?.plan;
    const free = pool.freeFor(run).filter((id) => !this.#excluded.has(id) && !this.#claimed.includes(id));
    return {
      run,
      shards: this.#shards,
      workers: data.workers,
      generation: this.#generation && {
        id: this.#generation.id,
        members: this.#generation.plan.members.map(({ worker }) => worker),
        action: plan?.action ?? "train",
      },
      reports: registry.reports,
      blind: registry.blind,
      claimed: [...this.#claimed],
      free,
      excluded: this.#excluded,
      settled: now() - this.#invitedAt > SETTLE_MS,
      overdue: now() - this.#openedAt > TAKE_UP_MS,
      voided: this.#voided,
      cancelled: this.#cancelled,
    };
  }

  /** Lets workers try again that were only not heard for a while. */
  #forgive(): void {
    for (const [id, since] of this.#unheardAt) {
      if (this.#context.now() - since < FORGIVE_MS) continue;
      this.#unheardAt.delete(id);
      this.#excluded.delete(id);
    }
  }

  /** Refuses workers that are ready but would end with other bits, or see other data. */
  #checkReady(): void {
    const { registry } = this.#context;
    const tasks = this.#claimed.flatMap((id) => {
      const task = registry.reports.get(id)?.task;
      return task?.run === this.#job.run ? [{ id, task }] : [];
    });
    const plan = this.#generation?.plan;
    for (const [id, error] of checkAdmission(tasks, plan, this.#job.data.config)) this.#exclude(id, error);
  }

  async #act({ next, invite, drop }: Decision): Promise<void> {
    for (const [id, { strikes }] of drop) {
      if (strikes) this.#exclude(id, strikes);
      else this.#release(id);
    }
    const { pool } = this.#context;
    const { run, data, reporter } = this.#job;
    if (invite.length > 0) this.#invitedAt = this.#context.now();
    for (const id of invite) this.#claim(id);
    pool.setShort(run, next.kind === "wait" ? (this.#generation ? 1 : data.workers.min) : 0);
    switch (next.kind) {
      case "keep":
        return;
      case "wait":
        reporter.tell({ event: "waiting", reason: next.reason });
        return;
      case "open":
        return this.#openNext(next);
      case "fail":
        return this.#fail(next.error);
      default:
        return next satisfies never;
    }
  }

  async #openNext({ members, action, cause }: Extract<Decision["next"], { kind: "open" }>): Promise<void> {
    const { reduce, control, registry, pool, now } = this.#context;
    const { run, lease, reporter } = this.#job;
    await this.#restore();
    const shares = evenShares(this.#shards, members.length);
    const first = registry.reports.get(members[0] ?? "")?.task;
    const plan: GenerationPlan = {
      job: this.#runJob,
      members: members.map((worker, rank) => ({ worker, shards: shares[rank] ?? [] })),
      servers: reduce.map(({ url }) => url),
      dataSha256: this.#generation?.plan.dataSha256 ?? first?.dataSha256 ?? "",
      bits: this.#generation?.plan.bits ?? first?.bits ?? "",
      action,
      cause,
    };
    await trackKey(control, runKeys(run).registry, runKeys(run).result);
    const servers = reduce.length > 0 ? reduce.map(({ connection }) => connection) : [control];
    const outcome = await this.#log.openGeneration({
      after: this.#generation?.id ?? null,
      plan,
      servers,
      ...(lease.lease && { lease: lease.lease }),
    });
    if (outcome.status === "unleased") throw new LostRunError();
    if (outcome.status === "lost") {
      this.#generation = await this.#open(); // somebody opened one before us: look again
      return;
    }
    const isFirst = this.#generation === null;
    this.#generation = { ...outcome.generation, plan };
    this.#voided = null;
    this.#openedAt = now();
    for (const { worker } of plan.members) {
      pool.assign(run, worker, { run, generation: outcome.generation.id, job: this.#runJob });
    }
    const shown = plan.members.map(({ worker, shards }): JobMember => {
      return { worker, host: registry.reports.get(worker)?.host ?? "unknown", shards };
    });
    const { number } = outcome.generation;
    reporter.setMembers(number, shown);
    if (isFirst) reporter.tell({ event: "started", generation: number, members: shown });
    else reporter.tell({ event: "generation", generation: number, members: shown, cause });
  }

  /** Tells the commit log what members know to be committed, should it have forgotten that. */
  async #restore(): Promise<void> {
    const highest = this.#tasks().reduce<Marker | null>((found, { task }) => {
      const marker = task?.applied === undefined ? null : parseMarker(task.applied);
      return compareMarkers(marker, found) > 0 ? marker : found;
    }, null);
    const committed = await this.#log.committed();
    if (!highest || !this.#generation || compareMarkers(highest, committed?.marker ?? null) <= 0) return;
    const { number, id } = this.#generation;
    await this.#log.restore({ marker: highest, generation: { number, id }, outcome: null }, this.#job.lease.lease);
  }

  async #open(): Promise<(Generation & { readonly plan: GenerationPlan }) | null> {
    const generation = await this.#log.generation();
    return generation && { ...generation, plan: generation.plan as GenerationPlan };
  }

  async #result(): Promise<TrainJobResult | undefined> {
    const record = await readRecord(this.#context.control, runKeys(this.#job.run).result);
    return record ? ((JSON.parse(record.value) as RunResult).record as TrainJobResult) : undefined;
  }

  #tellProgress(): void {
    const [first] = this.#generation?.plan.members ?? [];
    const progress = first && this.#context.registry.reports.get(first.worker)?.task?.progress;
    if (progress) this.#job.reporter.setProgress(progress);
  }

  #claim(id: string): void {
    const { pool } = this.#context;
    const { run } = this.#job;
    if (!this.#claimed.includes(id)) this.#claimed.push(id);
    const isMember = this.#generation?.plan.members.some(({ worker }) => worker === id);
    const generation = isMember ? (this.#generation?.id ?? null) : null;
    pool.assign(run, id, { run, generation, job: this.#runJob });
  }

  #release(id: string): void {
    const at = this.#claimed.indexOf(id);
    if (at >= 0) this.#claimed.splice(at, 1);
    this.#context.pool.release(this.#job.run, id);
  }

  #exclude(id: string, error: EncodedError): void {
    const host = this.#context.registry.reports.get(id)?.host ?? "unknown";
    this.#excluded.set(id, error);
    if (error.code === UNHEARD) this.#unheardAt.set(id, this.#context.now());
    this.#release(id);
    this.#job.reporter.tell({ event: "refused", worker: id, host, error });
  }

  #tasks(): readonly WorkerReport[] {
    return [...this.#context.registry.reports.values()].filter(({ task }) => task?.run === this.#job.run);
  }

  #servers(): readonly RedisConnection[] {
    const { control, reduce } = this.#context;
    return [control, ...reduce.map(({ connection }) => connection)];
  }

  #forgotten(): EncodedError {
    const redis = describeAddress(this.#context.control.address);
    const message = `The control Redis at ${redis} has lost what it knew of run ${this.#job.run}; give it an append-only file (appendonly yes). ${this.#runJob.out} has the last checkpoint: submit the run again with --resume.`;
    const { code, details } = new EnvironmentError(message, { redis, run: this.#job.run });
    return { code, message, details };
  }

  #fail(error: EncodedError): never {
    throw new RunFailedError(error);
  }
}

/** Between two looks at what is wanted of a job, and two renewals of its lease. */
const REQUEST_MS = 500;

/** Another coordinator conducts this run now. */
export class LostRunError extends Error {
  constructor() {
    super("Another coordinator conducts this run.");
    this.name = "LostRunError";
  }
}

const shardsOf = (config: unknown): number =>
  (config as { readonly training: { readonly shards: number } }).training.shards;
