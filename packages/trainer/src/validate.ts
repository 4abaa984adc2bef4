import { ConfigError } from "@gmc/core";
import type { BatchSource } from "@gmc/data";
import { batchLoss } from "./step.ts";
import type { StepContext } from "./step-context.ts";

/**
 * Mean objective over one pass of held-out batches, always the same ones in the same order, over all workers of the
 * group; undefined when `signal` fires before the end. As in training except that masks keep everything, noise is zero and nothing moves: batch norm takes the
 * batch's own statistics.
 *
 * @param scope  begins the names of what the group exchanges
 * @throws {ConfigError} when the source has no whole batch
 * @throws what the collective throws when the group is over
 */
export async function validationLoss(
  context: StepContext,
  source: BatchSource,
  signal?: AbortSignal,
  scope = "validation",
): Promise<number | undefined> {
  const { stepsPerEpoch } = source;
  if (stepsPerEpoch < 1) {
    throw new ConfigError(
      `training.validation.fraction holds out ${source.samples} samples, fewer than one batch; raise it or lower training.batchSize.`,
      { path: "training.validation.fraction", samples: source.samples },
    );
  }
  const losses: number[] = [];
  const stop = new AbortController(); // the source goes on for ever, and reads ahead
  try {
    for await (const batch of source.batches(0, stop.signal)) {
      if (signal?.aborted) return undefined;
      losses.push(await batchLoss(context, batch, `${scope}${losses.length}`));
      if (losses.length === stepsPerEpoch) break;
    }
  } finally {
    stop.abort();
  }
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}
