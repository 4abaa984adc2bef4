import type { TrainProgress } from "@gmc/core";

/** The loop's memory after one more committed step. */
export const addStep = (progress: TrainProgress, loss: number): TrainProgress => ({
  ...progress,
  epochLossSum: progress.epochLossSum + loss,
});

/** A closed epoch and what it means. */
export interface ClosedEpoch {
  readonly progress: TrainProgress;
  /** Mean training loss of the epoch. */
  readonly loss: number;
  /** True when the monitored loss is the lowest so far. */
  readonly improved: boolean;
}

/**
 * The loop's memory after an epoch whose steps are all committed.
 *
 * @param steps           steps of the epoch
 * @param validationLoss  what is monitored; absent: the training loss is
 */
export function closeEpoch(progress: TrainProgress, steps: number, validationLoss: number | undefined): ClosedEpoch {
  const loss = progress.epochLossSum / steps;
  const monitored = validationLoss ?? loss;
  const improved = progress.best === null || monitored < progress.best.loss;
  const epochLosses = [...progress.epochLosses, loss];
  const best = improved ? { loss: monitored, epoch: epochLosses.length } : progress.best;
  return { progress: { epochLossSum: 0, epochLosses, best }, loss, improved };
}

/** True when `patienceEpochs` epochs in a row have not improved; never for 0. */
export const outOfPatience = ({ best, epochLosses }: TrainProgress, patienceEpochs: number): boolean =>
  patienceEpochs > 0 && best !== null && epochLosses.length - best.epoch >= patienceEpochs;

/** Mean loss of the last closed epoch, of the open one's steps before the first is closed; null before the first step. */
export function finalLoss({ epochLosses, epochLossSum }: TrainProgress, step: number): number | null {
  return epochLosses.at(-1) ?? (step > 0 ? epochLossSum / step : null);
}
