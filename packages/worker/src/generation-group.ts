import type { Collective, CommitLog, Generation, Marker } from "@gmc/collectives";
import { compareMarkers } from "@gmc/collectives";
import { StaleGenerationError } from "@gmc/core";
import type { StepGroup } from "@gmc/trainer";

export interface GenerationGroupOptions {
  readonly collective: Collective;
  readonly log: CommitLog;
  readonly generation: Generation;
  /** Fires when this member is to take part no longer. */
  readonly signal: AbortSignal;
  readonly onCommitted: (marker: Marker) => void;
}

/**
 * A generation as the training loop sees it. What was committed before it began stands: a step up to there is done again
 * where a member lacks it, and is not committed a second time, for the bits are the same.
 */
export function generationGroup(options: GenerationGroupOptions): StepGroup {
  const { collective, log, generation, signal, onCommitted } = options;
  const { base, id, number } = generation;
  let last = base?.marker ?? null;

  const commit = async (marker: Marker, outcome?: unknown): Promise<void> => {
    if (signal.aborted) throw new StaleGenerationError(id, null);
    if (compareMarkers(marker, base?.marker ?? null) > 0) {
      const proposal = { generation: { id, number }, after: last, marker, ...(outcome !== undefined && { outcome }) };
      const answer = await unlessAborted(log.commit(proposal), signal, id);
      if (answer.status === "stale") throw new StaleGenerationError(id, answer.current);
      if (answer.status === "elsewhere") throw new StaleGenerationError(id, id); // the server has forgotten a commit
      last = marker;
    }
    onCommitted(marker);
  };
  return { collective, commit };
}

/** The answer, or a refusal as soon as `signal` fires: the commit may happen all the same, and then it stands. */
function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal, id: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new StaleGenerationError(id, null));
    signal.addEventListener("abort", stop, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
