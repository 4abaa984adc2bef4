import type { TrainProgress, TrainState, UpdateRule } from "@gmc/core";
import { ConfigError, NonFiniteError, silentLogger } from "@gmc/core";
import type { GlobalBatch } from "@gmc/data";
import { checkTrainingConfig } from "./config.ts";
import { addStep, closeEpoch, finalLoss, outOfPatience } from "./epochs.ts";
import { meter } from "./meter.ts";
import { learningRateAt } from "./schedule.ts";
import type { StepReport } from "./step.ts";
import { trainStep } from "./step.ts";
import type { StepContext } from "./step-context.ts";
import { stepContext } from "./step-context.ts";
import type { EpochReport, StepProgress, TrainOptions, TrainResult, TrainStatus } from "./train-options.ts";
import { validationLoss } from "./validate.ts";

/**
 * Trains until the last epoch, an early stop or `signal`. A pure function of (state, config, seed, batches): a run that
 * was stopped anywhere and goes on from its checkpoint ends with the same bits.
 *
 * @throws {ConfigError} when the configuration contradicts itself or the data
 * @throws {NonFiniteError} when a loss or gradient is NaN or infinite; nothing of that step is kept
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const run = new Run(options);
  try {
    return await run.go();
  } finally {
    await run.close();
  }
}

/** One call of `train`: the loop and its variables. */
class Run {
  readonly #options: TrainOptions;
  readonly #context: StepContext;
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
    this.#context = stepContext(model, replica, seed, state.buffers.slice());
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
    const status = await this.#untilEnd();
    const end = await this.#state();
    if (this.#saved !== this.#progress) await this.#save(end, ["last"]);
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
    this.#step++;
    this.#progress = addStep(this.#progress, report.loss);
    this.#samples += report.samples;
    this.#steppingMs += this.#now() - beganMs;
    this.#recent.add(report.loss, report.samples, this.#steppingMs);
    await this.#reportStep(batch.epoch + 1, report);
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
    const { epochs, stepsPerEpoch, totalSteps, recentLoss, secondsLeft, ...line } = progress;
    await onMetrics({ event: "step", ...line });
  }

  /** Validates, remembers the epoch's loss and saves; nothing of it happened when the signal fires before the end. */
  async #closeEpoch(): Promise<void> {
    const { validation, source, signal, config, onEpoch, onMetrics } = this.#options;
    const validated = validation && (await validationLoss(this.#context, validation, signal));
    if (validation && validated === undefined) return;
    this.#refuseNonFinite(validated);
    const { progress, loss, improved } = closeEpoch(this.#progress, source.stepsPerEpoch, validated);
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
    const due = report.epoch % config.checkpoint.everyEpochs === 0;
    if (due || improved) {
      await this.#save(await this.#state(), [
        ...(due ? ["last" as const] : []),
        ...(improved ? ["best" as const] : []),
      ]);
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

  async #save(state: TrainState, kinds: readonly ("last" | "best")[]): Promise<void> {
    const { checkpoints, logger = silentLogger } = this.#options;
    if (!checkpoints) return;
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
    return {
      status,
      state,
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
