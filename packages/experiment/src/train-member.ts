import type { TrainState } from "@gmc/core";
import { weightsSha256 } from "@gmc/core";
import type { MetricsRecord, RunFolder } from "@gmc/storage";
import { appendMetrics, exists, trimMetrics, writeJson } from "@gmc/storage";
import type { Checkpoints, EpochReport, StepGroup, StepProgress, TrainResult, TrainStatus } from "@gmc/trainer";
import { markerOf, train } from "@gmc/trainer";
import type { RunConfig } from "./run-config.ts";
import type { LongCall, RunProgress } from "./run-progress.ts";
import type { RunRecord } from "./run-record.ts";
import { readRunRecord } from "./run-record.ts";
import { checkpointsOf } from "./run-start.ts";
import type { Training } from "./training.ts";

export interface TrainMemberOptions extends LongCall {
  readonly training: Training;
  readonly config: RunConfig;
  /** The workers of this generation; absent: alone. */
  readonly group?: StepGroup;
  /** Where to begin: the same on every worker. */
  readonly state: TrainState;
  /** On the one worker that keeps the run: metrics, checkpoints and record go there. */
  readonly folder?: RunFolder;
  /** Where it saves; default the folder's. */
  readonly checkpoints?: Checkpoints;
  /** Awaited before metrics and record are written; rejects when another worker keeps the run by now. */
  readonly beforeWrite?: () => Promise<void>;
  /** What the record calls the run; default the folder's path. */
  readonly run?: string;
  /** The record that is written, from what this call knows. */
  readonly recordOf?: (record: RunRecord) => RunRecord;
}

/** How a worker's part in a generation ended. */
export interface MemberResult extends TrainResult {
  /** What was written as `run.json`: with a folder, unless interrupted. */
  readonly record?: RunRecord;
}

/**
 * One generation of a run on one worker: trains from `state` until the run ends, `signal` fires or the generation is over
 * ("interrupted": then call it again with the next generation's group and the state that came back).
 *
 * @throws as `train`
 */
export async function trainMember(options: TrainMemberOptions): Promise<MemberResult> {
  const { training, config, group, state, folder, beforeWrite, signal, logger, onProgress } = options;
  const { model, replica } = training;
  const sources = training.sources(group?.collective.shardsOfWorkers[group.collective.rank]);
  try {
    const { source, validation } = sources;
    await beforeWrite?.();
    if (folder) await trimBeyond(folder, state, source.stepsPerEpoch);
    const checkpoints = options.checkpoints ?? (folder && checkpointsOf(folder, config, training));
    const result = await train({
      model,
      replica,
      source,
      config: config.training,
      wire: config.cluster.wire,
      seed: config.seed,
      state,
      ...(group && { group }),
      ...(checkpoints && { checkpoints }),
      ...(validation && { validation }),
      onStep: (step) => onProgress?.(stepProgress(step, config)),
      onEpoch: (epoch) => onProgress?.(epochProgress(epoch, config)),
      ...(folder && {
        async onMetrics(line) {
          await beforeWrite?.();
          await appendMetrics(folder, { ...line });
        },
      }),
      ...(signal && { signal }),
      ...(logger && { logger }),
    });
    const record = folder && (await keepRecord(options, folder, result));
    return { ...result, ...(record && { record }) };
  } finally {
    await sources.close();
  }
}

/** Drops metrics of what comes after the state: it will be written again. */
async function trimBeyond(folder: RunFolder, state: TrainState, stepsPerEpoch: number): Promise<void> {
  if (!(await exists(folder.metrics))) return;
  const openEnd = markerOf(state, stepsPerEpoch)?.phase === "trained"; // an epoch that ends here is still to be closed
  const isBefore = ({ step, event }: MetricsRecord): boolean =>
    typeof step === "number" && (event === "epoch" && openEnd ? step < state.step : step <= state.step);
  await trimMetrics(folder, isBefore);
}

async function keepRecord(
  { training, state, run, beforeWrite, recordOf = (record) => record }: TrainMemberOptions,
  folder: RunFolder,
  result: TrainResult,
): Promise<RunRecord | undefined> {
  const { status } = result;
  if (status === "interrupted") return undefined;
  const sha256 = weightsSha256(training.model, result.state);
  const earlier = result.steps === state.step ? await readRunRecord(folder) : undefined;
  if (earlier?.weightsSha256 === sha256 && earlier.status === status) return earlier; // nothing was left to do
  const record = recordOf(newRecord(run ?? folder.path, { ...result, status }, sha256));
  await beforeWrite?.();
  await writeJson(folder.record, record);
  return record;
}

type EndedResult = TrainResult & { readonly status: Exclude<TrainStatus, "interrupted"> };

const newRecord = (run: string, result: EndedResult, sha256: string): RunRecord => ({
  run,
  status: result.status,
  steps: result.steps,
  epochs: result.epochs,
  wallSeconds: result.wallSeconds,
  samplesPerSecond: result.samplesPerSecond,
  finalLoss: result.finalLoss,
  weightsSha256: sha256,
  ...(result.exchange && { reduceMs: result.exchange.reduceMs, gatherMs: result.exchange.gatherMs }),
});

const stepProgress = (step: StepProgress, { training }: RunConfig): RunProgress => ({
  phase: "train",
  step: step.step,
  steps: step.totalSteps,
  epoch: step.epoch,
  epochs: step.epochs,
  loss: step.recentLoss,
  batchSize: training.batchSize,
  samplesPerSecond: step.samplesPerSecond,
  ...(step.exchange && { reduceMs: step.exchange.reduceMs, gatherMs: step.exchange.gatherMs }),
});

const epochProgress = (report: EpochReport, { training }: RunConfig): RunProgress => ({
  phase: "epoch",
  epoch: report.epoch,
  epochs: training.epochs,
  loss: report.loss,
  ...(report.validationLoss === undefined ? {} : { validationLoss: report.validationLoss }),
});
