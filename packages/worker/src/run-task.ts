import { setTimeout as delay } from "node:timers/promises";
import type { ProtocolHook } from "@gmc/collectives";
import { markerName } from "@gmc/collectives";
import type { Logger, TrainState } from "@gmc/core";
import { encodeError, StaleGenerationError } from "@gmc/core";
import type { RunConfig, RunConfigInput, Training } from "@gmc/experiment";
import { parseRunConfig } from "@gmc/experiment";
import type { RunJob, TaskReport } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import type { FirstRankMemory } from "./first-rank.ts";
import { judgeMember } from "./judge-member.ts";
import { runMember } from "./member.ts";
import type { RunLogger } from "./run-logger.ts";
import { openRunLogger } from "./run-logger.ts";
import type { OpenTraining } from "./run-worker.ts";
import type { RunStore } from "./stored-run.ts";

export interface RunTaskOptions {
  readonly run: string;
  readonly job: RunJob;
  /** Id of this worker, and what decides its bits. */
  readonly worker: string;
  readonly bits: string;
  readonly control: RedisConnection;
  /** URL of the control server, which has the reduce role too where the plan names no other. */
  readonly redis: string;
  readonly open: OpenTraining;
  readonly store?: RunStore;
  readonly threads?: number;
  readonly hook?: ProtocolHook;
  readonly logger: Logger;
  /** The report has something new that the coordinator waits for. */
  readonly onChange: () => void;
}

/**
 * A run on this worker: data and model are opened once, then it takes part in one generation after the other. Between
 * them it keeps what it has applied.
 */
export class RunTask {
  readonly run: string;
  readonly #options: RunTaskOptions;
  readonly #closing = new AbortController();
  readonly #logger: RunLogger;
  /** In the last generation. */
  #rank: number | undefined;
  #report: TaskReport;
  #training: Training | undefined;
  #stepsPerEpoch = 0;
  readonly #memory: FirstRankMemory = {};
  #config: RunConfig | undefined;
  #state: TrainState | null = null;
  /** The generation that it takes part in, or will next. */
  #wanted: string | null = null;
  #interrupt = new AbortController();
  /** Everything it does, one after the other. */
  #work: Promise<void>;

  constructor(options: RunTaskOptions) {
    this.run = options.run;
    this.#options = options;
    this.#report = { run: options.run, stage: "preparing" };
    const { run, worker, control } = options;
    this.#logger = openRunLogger(options.logger, control, run, () => {
      const step = this.#report.progress?.step;
      return {
        run,
        worker,
        ...(this.#rank !== undefined && { rank: this.#rank }),
        ...(step !== undefined && { step }),
      };
    });
    this.#work = this.#prepare();
  }

  get report(): TaskReport {
    return this.#report;
  }

  /** Takes part in a generation from now on, and no longer in another one; null: waits. */
  enter(generation: string | null): void {
    if (generation === null || generation === this.#wanted || this.#closing.signal.aborted) return;
    this.#wanted = generation;
    this.#interrupt.abort(new StaleGenerationError(this.#report.generation ?? "none", generation));
    const interrupt = new AbortController();
    this.#interrupt = interrupt;
    this.#work = this.#work.then(() => this.#takePart(generation, interrupt.signal));
  }

  /** Leaves the run and closes what is open. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#interrupt.abort(new StaleGenerationError(this.#report.generation ?? "none", null));
    await this.#work;
    const training = this.#training;
    this.#training = undefined;
    await training?.close();
    await Promise.race([this.#logger.flush(), delay(FLUSH_MS)]);
  }

  async #prepare(): Promise<void> {
    const { job, threads, bits, open } = this.#options;
    const logger = this.#logger;
    try {
      this.#config = parseRunConfig(job.config as RunConfigInput);
      const { engine } = this.#config;
      const own = { ...this.#config, engine: threads === undefined ? engine : { ...engine, threads } };
      this.#training = await open(own, logger, this.#closing.signal);
      const sources = this.#training.sources();
      this.#stepsPerEpoch = sources.source.stepsPerEpoch;
      await sources.close();
      const device = this.#training.replica.device ?? { kind: "cpu" };
      this.#set({
        stage: "ready",
        dataSha256: this.#training.dataset.sha256,
        bits: `${bits}; ${JSON.stringify(device)}`,
      });
    } catch (error) {
      logger.warn("worker.refused", { ...encodeError(error) });
      this.#set({ stage: "refused", error: encodeError(error) });
    }
  }

  async #takePart(generation: string, signal: AbortSignal): Promise<void> {
    const [training, config] = [this.#training, this.#config];
    if (!training || !config || generation !== this.#wanted || this.#closing.signal.aborted) return;
    const { control, redis, worker, hook, store, job, threads } = this.#options;
    const logger = this.#logger;
    const { error: _, outcome: __, ...before } = this.#report;
    this.#report = before;
    this.#set({ stage: "training", generation });
    const end = await runMember({
      control,
      redis,
      run: this.run,
      worker,
      generation,
      training,
      stepsPerEpoch: this.#stepsPerEpoch,
      config,
      state: this.#state,
      signal,
      logger,
      memory: this.#memory,
      ...(store && { store }),
      ...(hook && { hook }),
      onPlace: (rank) => {
        this.#rank = rank;
        logger.info("worker.generation", { generation });
      },
      onCommitted: (marker) => {
        this.#report = { ...this.#report, applied: markerName(marker) };
      },
      onProgress: (progress) => {
        this.#report = { ...this.#report, progress };
      },
      judge: (record, folder) => {
        const { progress } = this.#report;
        if (progress && job.evaluate) this.#set({ progress: { ...progress, evaluating: true } });
        return judgeMember({ folder, job, record, config, signal, logger, ...(threads !== undefined && { threads }) });
      },
    });
    this.#state = end.state;
    logger.info("worker.generation-end", { generation, ...end.report });
    this.#set(end.report);
  }

  #set(change: Partial<TaskReport>): void {
    this.#report = { ...this.#report, ...change };
    this.#options.onChange();
  }
}

/** How long the end of a run waits for its log's last lines. */
const FLUSH_MS = 500;
