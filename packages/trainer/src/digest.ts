import type { Collective } from "@gmc/collectives";
import type { Model, TrainState } from "@gmc/core";
import { DivergenceError, weightsSha256 } from "@gmc/core";

/**
 * Compares the weights of all workers, who call it after the same step.
 *
 * @param scope  of its call on the group
 * @throws {DivergenceError} naming the ranks that differ from most of the others; with no majority, every rank
 */
export async function compareDigests(
  collective: Collective,
  model: Model,
  state: Pick<TrainState, "step" | "parameters" | "buffers">,
  scope: string,
  signal?: AbortSignal,
): Promise<void> {
  const { rank, shardsOfWorkers } = collective;
  const own = new Float32Array(new Uint8Array(Buffer.from(weightsSha256(model, state), "hex")).buffer);
  const blocks = new Map((shardsOfWorkers[rank] ?? []).map((shard) => [shard, own]));
  const all = await collective.gather(`${scope}/sha256`, blocks, signal);
  await collective.release(scope);
  const digests = shardsOfWorkers.map(([shard = 0]) => hexAt(all, shard * own.length, own.length));
  if (new Set(digests).size > 1) throw divergence(state.step, digests);
}

function divergence(step: number, digests: readonly string[]): DivergenceError {
  const votes = (digest: string): number => digests.filter((other) => other === digest).length;
  const common = digests.find((digest) => votes(digest) > digests.length / 2);
  const ranks = digests.flatMap((digest, rank) => (digest === common ? [] : [rank]));
  const each = digests.map((digest, rank) => `rank ${rank} ${digest.slice(0, 12)}`).join(", ");
  return new DivergenceError(
    `After step ${step} the workers' weights differ (sha256: ${each}): ${ranks.length === 1 ? "rank" : "ranks"} ${ranks.join(", ")} ` +
      "computed other bits. Check versions, processor and memory of these workers; the last checkpoint may be of one of them.",
    { step, ranks, digests },
  );
}

const hexAt = (all: Float32Array, first: number, length: number): string =>
  Buffer.from(all.slice(first, first + length).buffer).toString("hex");
