import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommitLog, deleteRun, evenShares, openRedisCollective } from "@gmc/collectives";
import type { RedisConnection } from "@gmc/redis";
import { openServer, startRedis } from "@gmc/redis";
import type { StepGroup } from "@gmc/trainer";
import { reduceServers } from "@gmc/worker";

const RUN = "bench";

/** A worker's place in a group, for a process of its own. */
export interface Seat {
  readonly rank: number;
  readonly workers: number;
  readonly control: string;
  readonly reduce: readonly string[];
  readonly generation: { readonly number: number; readonly id: string };
}

/** Private servers as a machine's own cluster has them, and an open generation of one shard a worker. */
export interface BenchServers {
  readonly seats: readonly Seat[];
  /** ms of processor time that the servers have used. */
  cpuMs(): Promise<number>;
  close(): Promise<void>;
}

/** @throws {EnvironmentError} where there is no redis-server */
export async function openBenchServers(workers: number): Promise<BenchServers> {
  const dir = await mkdtemp(join(tmpdir(), "gmc-bench-"));
  const closing: (() => Promise<void> | void)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const end of closing.reverse()) await end();
  };
  const open = async (role: "control" | "reduce", name: string = role) => {
    const { url, close: end } = await startRedis({ dir: join(dir, name), role });
    closing.push(end);
    const connection = await openServer(url, role);
    closing.push(() => connection.close());
    return { url, connection };
  };
  try {
    const control = await open("control");
    const reduce: Awaited<ReturnType<typeof open>>[] = [];
    for (let i = 0; i < reduceServers(workers); i++) reduce.push(await open("reduce", `reduce-${i + 1}`));
    const servers = reduce.map(({ connection }) => connection);
    const connections = [control.connection, ...servers];
    const log = new CommitLog(control.connection, RUN);
    const outcome = await log.openGeneration({ after: null, plan: {}, servers });
    if (outcome.status !== "opened") throw new Error(`openGeneration: ${outcome.status}`);
    closing.push(async () => void (await deleteRun(connections, RUN)));
    const { number, id } = outcome.generation;
    const place = { workers, control: control.url, reduce: reduce.map(({ url }) => url), generation: { number, id } };
    return {
      seats: Array.from({ length: workers }, (_, rank) => ({ rank, ...place })),
      cpuMs: async () => (await Promise.all(connections.map(cpuMsOf))).reduce((sum, ms) => sum + ms, 0),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function cpuMsOf({ client }: RedisConnection): Promise<number> {
  const info = await client.info("cpu");
  const seconds = (name: string) => Number(new RegExp(`${name}:([0-9.]+)`).exec(info)?.[1]);
  return 1000 * (seconds("used_cpu_sys") + seconds("used_cpu_user"));
}

/** A member's group: every step is committed, as in a cluster. */
export async function joinGroup({
  rank,
  workers,
  control,
  reduce,
  generation,
}: Seat): Promise<StepGroup & { close(): Promise<void> }> {
  const connection = await openServer(control, "control");
  const log = new CommitLog(connection, RUN);
  const shardsOfWorkers = evenShares(workers, workers);
  const collective = openRedisCollective({
    servers: reduce,
    run: RUN,
    generation: generation.id,
    rank,
    shardsOfWorkers,
  });
  return {
    collective,
    async commit(marker) {
      const after = marker.step === 1 ? null : { ...marker, step: marker.step - 1 };
      const { status } = await log.commit({ generation, after, marker });
      if (status !== "committed") throw new Error(`Step ${marker.step}: ${status}`);
    },
    async close() {
      await collective.close();
      connection.close();
    },
  };
}
