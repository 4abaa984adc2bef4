import type { Collective, Marker } from "@gmc/collectives";
import type { TrainState } from "@gmc/core";

/**
 * The processes that train one run together, as one of them sees it in one generation. Its shards are
 * `collective.shardsOfWorkers[collective.rank]`, in that order.
 */
export interface StepGroup {
  readonly collective: Collective;
  /**
   * Resolves once `marker` is committed, or stood already: what it stands for happens then, and only then.
   *
   * @param outcome  JSON that is committed with it
   * @throws {StaleGenerationError} when another generation is open; then nothing may change
   */
  commit(marker: Marker, outcome?: unknown): Promise<void>;
}

/**
 * The last marker that a state has applied, null before the first step. An epoch's end is "validated" once it is closed:
 * its validation is done, its record taken.
 */
export function markerOf(
  { step, progress }: Pick<TrainState, "step" | "progress">,
  stepsPerEpoch: number,
): Marker | null {
  if (step === 0) return null;
  const closed = progress.epochLosses.length * stepsPerEpoch === step;
  return { step, phase: closed ? "validated" : "trained" };
}
