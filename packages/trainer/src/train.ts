import type { TrainProgress, TrainState, UpdateRule } from "@gmc/core";
import { ConfigError, NonFiniteError, silentLogger } from "@gmc/core";
import type { GlobalBatch } from "@gmc/data";
import type { CheckpointKind } from "./checkpoints.ts";
import { checkTrainingConfig } from "./config.ts";
import { compareDigests } from "./digest.ts";
import { addStep, closeEpoch, finalLoss, outOfPatience } from "./epochs.ts";
import { ExchangeMeans } from "./exchange-means.ts";
import { meter } from "./meter.ts";
import { learningRateAt } from "./schedule.ts";
import type { StepReport } from "./step.ts";
import { trainStep } from "./step.ts";
import type { StepContext } from "./step-context.ts";
import { stepContext } from "./step-context.ts";
import type { EpochReport, StepProgress, TrainOptions, TrainResult, TrainStatus } from "./train-options.ts";
import { validationLoss } from "./validate.ts";
import type { WatchedGroup } from "./watched-group.ts";
import { watchGroup } from "./watched-group.ts";

/**
 * Trains until the last epoch, an early stop or `signal`; in a group also until that is over ("interrupted"). A pure
 * function of (state, config, seed, batches): a run that was stopped or interrupted anywhere and goes on from its state,
 * in whatever group, ends with the same bits.
 *
 * @throws {ConfigError} when the configuration contradicts itself or the data
 * @throws {NonFiniteError} when a loss or gradient is NaN or infinite; nothing of that step is kept
 * @throws {DivergenceError} when the workers of the group have different weights
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const run = new Run(options);
  try {
    return await run.go();
  } finally {
    await run.close();
  }
}

/** Whether there is anybody to wait for. */
const isShared = (group: WatchedGroup | undefined): group is WatchedGroup =>
  group !== undefined && group.collective.shardsOfWorkers.length > 1;

/** One call of `train`: the loop and its variables. */
class Run {
  readonly #options: TrainOptions;
  readonly #context: StepContext;
  /** Absent alone. */
  readonly #group: WatchedGroup | undefined;
  readonly #exchange = new ExchangeMeans();
  readonly #now: () => number;
  readonly #startedMs: number;
  readonly #totalSteps: number;
  readonly #recent = meter(0);
  readonly #closing = new AbortController();
  #batches: AsyncIterator<GlobalBatch> | undefined;
  #step: number;
  #progress: TrainProgress;
  /** The progress that the last checkpoint holds. */
  #saved: TrainProgress | undefined;
  /** File to go back to after a failure. */
  #lastCheckpoint: string | null = null;
  #learningRate: number;
  #digests = 0;
  #cause: Error | undefined;
  #samples = 0;
  #steppingMs = 0; // without validation and checkpoints

  constructor(options: TrainOptions) {
    const { model, replica, seed, state, source, config, now = () => performance.now() } = options;
    checkTrainingConfig(config);
    if (source.stepsPerEpoch < 1) {
      throw new ConfigError(
        `training.batchSize ${config.batchSize} is larger than the ${source.samples} training samples; lower it.`,
        { path: "training.batchSize", samples: source.samples },
      );
    }
    this.#options = options;
    this.#group = options.group && watchGroup(options.group);
    this.#context = stepContext(model, replica, seed, state.buffers.slice(), {
      ...(this.#group && { group: this.#group }),
      ...(options.wire && { wire: options.wire }),
      ...(isShared(this.#group) && options.signal && { signal: options.signal }),
    });
    this.#now = now;
    this.#startedMs = now();
    this.#totalSteps = config.epochs * source.stepsPerEpoch;
    this.#step = state.step;
    this.#progress = state.progress;
    this.#learningRate = learningRateAt(config, state.step, this.#totalSteps);
  }

  async go(): Promise<TrainResult> {
    const { replica, state, logger = silentLogger, config, checkpoints } = this.#options;
    this.#lastCheckpoint = (await checkpoints?.find("last")) ?? null;
    await replica.write(state);
    logger.info("train.start", { step: this.#step, totalSteps: this.#totalSteps, epochs: config.epochs });
    const status = await this.#untilOver();
    const end = await this.#state();
    if (status !== "interrupted" && this.#saved !== this.#progress) await this.#save(["last"], end);
    const result = this.#result(status, end);
    logger.info("train.end", {
      status,
      step: result.steps,
      finalLoss: result.finalLoss,
      wallSeconds: result.wallSeconds,
    });
    return result;
  }

  /** Lets the batch source stop reading ahead. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#batches?.return?.();
    this.#context.close();
  }

  /** Trains, and tells apart what the end of the group is to blame for: nothing has changed since the last marker then. */
  async #untilOver(): Promise<TrainStatus> {
    try {
      await this.#saveMissed();
      await this.#compareDigests();
      const status = await this.#untilEnd();
      if (status !== "stopped") await this.#compareDigests();
      await this.#context.released;
      return status;
    } catch (error) {
      if (!(error instanceof Error && this.#group?.isOver(error))) throw error;
      if (this.#options.signal?.aborted) return "stopped";
      this.#cause = error;
      return "interrupted";
    }
  }

  /** Workers of a group compare their weights. */
  async #compareDigests(): Promise<void> {
    const { model, signal } = this.#options;
    if (!isShared(this.#group)) return;
    const scope = `${this.#step}d${this.#digests++}`;
    await compareDigests(this.#group.collective, model, await this.#options.replica.read(), scope, signal);
  }

  /** Steps and ends of epochs; after any of them the state can be saved and gone on from. */
  async #untilEnd(): Promise<TrainStatus> {
    const { signal, config, source } = this.#options;
    for (;;) {
      if (signal?.aborted) return "stopped";
      const closedSteps = this.#progress.epochLosses.length * source.stepsPerEpoch;
      if (this.#step >= closedSteps + source.stepsPerEpoch) await this.#closeEpoch();
      else if (outOfPatience(this.#progress, config.earlyStop.patienceEpochs)) return "early-stopped";
      else if (this.#step >= this.#totalSteps) return "finished";
      else await this.#nextStep();
    }
  }

  async #nextStep(): Promise<void> {
    const { config } = this.#options;
    const beganMs = this.#now();
    const batch = await this.#nextBatch();
    if (!batch) return; // the signal fired during the wait
    this.#learningRate = learningRateAt(config, this.#step, this.#totalSteps);
    const report = await trainStep(this.#context, batch, this.#rule(), this.#lastCheckpoint);
    this.#step++; // from here to the end of the step nothing of the group is awaited: what is committed is kept
    this.#progress = addStep(this.#progress, report.loss);
    this.#exchange.add(report.exchange);
    this.#samples += report.samples;
    this.#steppingMs += this.#now() - beganMs;
    this.#recent.add(report.loss, report.samples, this.#steppingMs);
    await this.#reportStep(batch.epoch + 1, report);
    if (this.#step % config.digestEverySteps === 0) await this.#compareDigests();
  }

  async #nextBatch(): Promise<GlobalBatch | undefined> {
    const { signal } = this.#options;
    this.#batches ??= this.#openBatches();
    try {
      const { value, done } = await this.#batches.next();
      if (done) throw new RangeError(`The batch source ended before step ${this.#step + 1}; it must go on for ever.`);
      const batch: GlobalBatch = value;
      if (batch.step !== this.#step) {
        throw new RangeError(`The batch source gave step ${batch.step}, expected ${this.#step}.`);
      }
      return batch;
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }

  #openBatches(): AsyncIterator<GlobalBatch> {
    const { source, signal } = this.#options;
    const stop = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    return source.batches(this.#step, stop)[Symbol.asyncIterator]();
  }

  #rule(): UpdateRule {
    const { optimizer, clipNorm } = this.#options.config;
    const { beta1, beta2, epsilon, weightDecay } = optimizer;
    const rule = { learningRate: this.#learningRate, beta1, beta2, epsilon, weightDecay };
    return clipNorm === undefined ? rule : { ...rule, maxNorm: clipNorm };
  }

  async #reportStep(epoch: number, { samples: _, ...report }: StepReport): Promise<void> {
    const { config, source, onStep, onMetrics } = this.#options;
    const progress: StepProgress = {
      epoch,
      epochs: config.epochs,
      step: this.#step,
      stepsPerEpoch: source.stepsPerEpoch,
      totalSteps: this.#totalSteps,
      ...report,
      recentLoss: this.#recent.recentLoss(),
      learningRate: this.#learningRate,
      samplesPerSecond: this.#recent.samplesPerSecond(),
      secondsLeft: (this.#totalSteps - this.#step) * this.#recent.secondsPerStep(),
      wallSeconds: this.#wallSeconds(),
    };
    onStep?.(progress);
    const { everySteps } = config.metrics;
    if (!onMetrics || everySteps === 0 || this.#step % everySteps !== 0) return;
    const { epochs, stepsPerEpoch, totalSteps, recentLoss, secondsLeft, exchange, ...line } = progress;
    await onMetrics({ event: "step", ...line, ...exchange });
  }

  /** Validates, remembers the epoch's loss and saves; nothing of it happened when the signal fires before the end. */
  async #closeEpoch(): Promise<void> {
    const { validation, source, signal, onEpoch, onMetrics } = this.#options;
    const scope = `${this.#step}v`;
    const validated = validation && (await validationLoss(this.#context, validation, signal, scope));
    if (validation && validated === undefined) return;
    this.#refuseNonFinite(validated);
    const { progress, loss, improved } = closeEpoch(this.#progress, source.stepsPerEpoch, validated);
    await this.#group?.commit({ step: this.#step, phase: "validated" }, { loss, validationLoss: validated ?? null });
    this.#progress = progress;
    const report: EpochReport = {
      epoch: progress.epochLosses.length,
      step: this.#step,
      loss,
      ...(validated !== undefined && { validationLoss: validated }),
      improved,
      learningRate: this.#learningRate,
      samplesPerSecond: this.#recent.samplesPerSecond(),
      wallSeconds: this.#wallSeconds(),
    };
    await onEpoch?.(report);
    await onMetrics?.({ event: "epoch", ...report }); // before the checkpoint: none is older than its lines
    await this.#save(this.#dueCheckpoints());
  }

  /** Checkpoints that belong to the end of the last closed epoch. */
  #dueCheckpoints(): readonly CheckpointKind[] {
    const { epochLosses, best } = this.#progress;
    const due = epochLosses.length % this.#options.config.checkpoint.everyEpochs === 0;
    return [...(due ? ["last" as const] : []), ...(best?.epoch === epochLosses.length ? ["best" as const] : [])];
  }

  /** At an epoch's end, saves what should be there: whoever closed it may have died before. */
  async #saveMissed(): Promise<void> {
    const { checkpoints, source } = this.#options;
    const { epochLosses } = this.#progress;
    if (!checkpoints || epochLosses.length === 0 || epochLosses.length * source.stepsPerEpoch !== this.#step) return;
    for (const kind of this.#dueCheckpoints()) {
      if ((await checkpoints.stepOf(kind)) !== this.#step) await this.#save([kind]);
    }
  }

  #refuseNonFinite(validated: number | undefined): void {
    if (validated === undefined || Number.isFinite(validated)) return;
    const lastCheckpoint = this.#lastCheckpoint;
    throw new NonFiniteError(
      `The validation loss after step ${this.#step} is ${validated}. Last checkpoint: ${lastCheckpoint ?? "none"}.`,
      { step: this.#step, shard: null, what: "validation loss", value: String(validated), lastCheckpoint },
    );
  }

  async #state(): Promise<TrainState> {
    return { ...(await this.#options.replica.read()), progress: this.#progress };
  }

  async #save(kinds: readonly CheckpointKind[], known?: TrainState): Promise<void> {
    const { checkpoints, logger = silentLogger } = this.#options;
    if (!checkpoints || kinds.length === 0) return;
    const state = known ?? (await this.#state());
    for (const kind of kinds) {
      const file = await checkpoints.save(state, kind);
      logger.info("train.checkpoint", { kind, file, step: state.step });
      if (kind !== "last") continue;
      this.#lastCheckpoint = file;
      this.#saved = state.progress;
    }
  }

  #result(status: TrainStatus, state: TrainState): TrainResult {
    const { epochLosses } = this.#progress;
    const exchange = this.#exchange.means();
    return {
      status,
      state,
      ...(this.#cause && { cause: this.#cause }),
      ...(exchange && { exchange }),
      steps: this.#step,
      epochs: epochLosses.length,
      lossPerEpoch: epochLosses,
      finalLoss: finalLoss(this.#progress, this.#step),
      wallSeconds: this.#wallSeconds(),
      samplesPerSecond: this.#steppingMs > 0 ? (this.#samples * 1000) / this.#steppingMs : 0,
    };
  }

  #wallSeconds(): number {
    return (this.#now() - this.#startedMs) / 1000;
  }
}
