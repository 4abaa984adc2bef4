import { runKeys } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { deleteTracked } from "@gmc/redis";

/** Removes what a generation that is over has left on these servers. Returns the number of keys. */
export async function deleteGeneration(
  servers: readonly RedisConnection[],
  run: string,
  generation: string,
): Promise<number> {
  const keys = runKeys(run);
  const { prefix } = keys.of(generation);
  const removed = await Promise.all(servers.map((server) => deleteTracked(server, keys.registry, prefix)));
  return removed.reduce((sum, count) => sum + count, 0);
}

/**
 * Removes every key of a run from these servers, control and reduce, and nothing else. The fence goes first, so that a
 * worker that still sleeps cannot write any more; what it was just sending lives for a minute at most.
 */
export async function deleteRun(servers: readonly RedisConnection[], run: string): Promise<number> {
  const { fence, registry, prefix } = runKeys(run);
  const removed = await Promise.all(
    servers.map(async (server) => {
      const fences = Number(await server.command(["DEL", fence]));
      return fences + (await deleteTracked(server, registry, prefix));
    }),
  );
  return removed.reduce((sum, count) => sum + count, 0);
}
