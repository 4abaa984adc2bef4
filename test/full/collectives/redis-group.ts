import { randomUUID } from "node:crypto";
import type { Collective, ProtocolHook } from "@gmc/collectives";
import { openRedisCollective } from "@gmc/collectives";
import { runKeys } from "@gmc/protocol";
import { deleteTracked, openConnection, parseRedisUrl, raiseFence } from "@gmc/redis";
import type { GroupOptions } from "../../../packages/collectives/src/describe-collective.testing.ts";

export interface RedisGroup {
  readonly run: string;
  readonly generation: string;
  readonly members: readonly Collective[];
  /** Opens the next generation on every server, as a coordinator does. */
  supersede(): Promise<string>;
  /** Names of the run's keys, over all servers. */
  keys(): Promise<readonly string[]>;
  /** Removes the run's keys; false when some were left. */
  close(): Promise<void>;
}

export interface RedisGroupOptions extends GroupOptions {
  readonly run?: string;
  readonly number?: number;
  readonly chunkBytes?: number;
  readonly guardMs?: number;
  readonly hook?: (rank: number) => ProtocolHook | undefined;
  /** URL by which a rank reaches the servers; absent: as given. */
  readonly urlsOf?: (rank: number) => readonly string[];
}

/** A group of members in this process over real servers, in a generation of its own. */
export async function openRedisGroup(
  servers: readonly string[],
  shardsOfWorkers: readonly (readonly number[])[],
  { hook, urlsOf, run = `test-${randomUUID()}`, number = 1, ...options }: RedisGroupOptions = {},
): Promise<RedisGroup> {
  const keys = runKeys(run);
  const connections = await Promise.all(servers.map((url) => openConnection(parseRedisUrl(url))));
  const raise = async (next: number): Promise<string> => {
    const id = `${next}-${randomUUID().slice(0, 8)}`;
    for (const connection of connections) {
      const outcome = await raiseFence(connection, keys, { number: next, id }, options.guardMs ?? 60_000);
      if (outcome.status !== "raised") throw new Error(`fence at ${outcome.number}`);
    }
    return id;
  };
  const generation = await raise(number);
  const members = shardsOfWorkers.map((_, rank) => {
    const ownHook = hook?.(rank);
    return openRedisCollective({
      ...options,
      servers: urlsOf?.(rank) ?? servers,
      run,
      generation,
      rank,
      shardsOfWorkers,
      ...(ownHook && { hook: ownHook }),
    });
  });
  return {
    run,
    generation,
    members,
    supersede: () => raise(number + 1),
    async keys() {
      const found = connections.map((connection) => connection.command(["KEYS", `${keys.prefix}*`]));
      return ((await Promise.all(found)) as string[][]).flat().sort();
    },
    async close() {
      await Promise.all(members.map((member) => member.close()));
      for (const connection of connections) {
        await deleteTracked(connection, keys.registry, keys.prefix);
        connection.close();
      }
    },
  };
}
