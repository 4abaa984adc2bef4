import { randomUUID } from "node:crypto";
import type { Collective, Generation, Marker, ProtocolHook, ProtocolPoint } from "@gmc/collectives";
import { CommitLog, compareMarkers, deleteRun, openRedisCollective } from "@gmc/collectives";
import type { Replica, TrainState } from "@gmc/core";
import { StaleGenerationError } from "@gmc/core";
import type { RedisConnection } from "@gmc/redis";
import { openConnection, parseRedisUrl } from "@gmc/redis";
import type { StepGroup, TrainResult } from "@gmc/trainer";
import { markerOf, packTrainState, train, unpackTrainState } from "@gmc/trainer";
import type { GroupRun } from "../../support/group-run.ts";
import { firstState, memberOptions, openTestReplica } from "../../support/group-run.ts";

/** A worker in this process: what it keeps from one generation to the next. */
export interface TestWorker {
  readonly name: string;
  readonly replica: Replica;
  /** What it has applied; null where it has nothing. */
  state: TrainState | null;
  /** Its part in the last generation, which ends before the next begins. */
  part: Promise<unknown>;
}

export interface GenerationOptions {
  readonly hook?: (worker: string) => ProtocolHook | undefined;
  /** Where members go on from when they differ: the state of the highest marker, or the lowest, whose step is done again. */
  readonly from?: "highest" | "lowest";
  readonly timeoutMs?: number;
}

/** Several chunks of a small model. */
const SMALL_CHUNKS = 2048;

/** A generation under way. */
export interface RunningGeneration {
  readonly generation: Generation;
  /** By worker; a worker that "died" in it never comes back. */
  readonly results: ReadonlyMap<string, Promise<TrainResult>>;
}

/** What a coordinator and its workers do with a run, in one process over real servers. */
export class TestCluster {
  readonly #run: GroupRun;
  readonly #servers: readonly string[];
  readonly #chunkBytes: number;
  readonly #control: RedisConnection;
  readonly #reduce: readonly RedisConnection[];
  readonly #id = `test-${randomUUID()}`;
  readonly #collectives: Collective[] = [];
  readonly #workers: TestWorker[] = [];
  #open: Generation | null = null;

  /** @param servers  of the reduce role; the first has the control role too */
  static async open(run: GroupRun, servers: readonly string[], chunkBytes = SMALL_CHUNKS): Promise<TestCluster> {
    const reduce = await Promise.all(servers.map((url) => openConnection(parseRedisUrl(url))));
    const [control] = reduce;
    if (!control) throw new RangeError("TestCluster: no server");
    return new TestCluster(run, servers, control, reduce, chunkBytes);
  }

  private constructor(
    run: GroupRun,
    servers: readonly string[],
    control: RedisConnection,
    reduce: readonly RedisConnection[],
    chunkBytes: number,
  ) {
    this.#chunkBytes = chunkBytes;
    this.#run = run;
    this.#servers = servers;
    this.#control = control;
    this.#reduce = reduce;
  }

  async addWorkers(names: readonly string[]): Promise<readonly TestWorker[]> {
    const workers = await Promise.all(
      names.map(async (name) => ({
        name,
        replica: await openTestReplica(this.#run.model),
        state: null,
        part: Promise.resolve(),
      })),
    );
    this.#workers.push(...workers);
    return workers;
  }

  /** What was committed last. */
  async committed(): Promise<Marker | null> {
    return (await new CommitLog(this.#control, this.#id).committed())?.marker ?? null;
  }

  /** Opens the next generation for these workers, and lets them train in it. */
  async begin(
    workers: readonly TestWorker[],
    shares: readonly (readonly number[])[],
    options: GenerationOptions = {},
  ): Promise<RunningGeneration> {
    const log = new CommitLog(this.#control, this.#id);
    const after = this.#open?.id ?? null;
    const outcome = await log.openGeneration({ after, plan: shares, servers: this.#reduce });
    if (outcome.status !== "opened") throw new Error(outcome.status);
    const { generation } = outcome;
    this.#open = generation;
    const results = workers.map((worker, rank) => {
      const result = worker.part.then(() => this.#takePart(worker, rank, shares, generation, options));
      worker.part = result.catch(() => {}); // thrown where the result is awaited
      return [worker.name, result] as const;
    });
    return { generation, results: new Map(results) };
  }

  /** Names of the run's keys, over all servers. */
  async keys(): Promise<readonly string[]> {
    const found = await Promise.all(this.#reduce.map((server) => server.command(["KEYS", `*${this.#id}*`])));
    return (found as string[][]).flat().sort();
  }

  async deleteRun(): Promise<void> {
    await deleteRun(this.#reduce, this.#id);
  }

  async close(): Promise<void> {
    await Promise.all(this.#collectives.map((collective) => collective.close()));
    await this.deleteRun();
    for (const server of this.#reduce) server.close();
    await Promise.all(this.#workers.map(({ replica }) => replica.close()));
  }

  async #takePart(
    worker: TestWorker,
    rank: number,
    shardsOfWorkers: readonly (readonly number[])[],
    generation: Generation,
    { hook: hookOf, from = "highest", timeoutMs = 30_000 }: GenerationOptions,
  ): Promise<TrainResult> {
    const hook = hookOf?.(worker.name);
    const collective = openRedisCollective({
      servers: this.#servers,
      run: this.#id,
      generation: generation.id,
      rank,
      shardsOfWorkers,
      wire: this.#run.wire,
      timeoutMs,
      chunkBytes: this.#chunkBytes,
      ...(hook && { hook }),
    });
    this.#collectives.push(collective);
    worker.state = await this.#sync(worker, collective, from);
    const group = this.#groupOf(collective, generation, hook);
    const options = memberOptions(this.#run, shardsOfWorkers[rank]);
    const result = await train({ ...options, replica: worker.replica, state: worker.state, group });
    worker.state = result.state;
    return result;
  }

  /** Everyone says what it has applied; one gives its state to all. */
  async #sync(worker: TestWorker, collective: Collective, from: "highest" | "lowest"): Promise<TrainState> {
    const { rank, shardsOfWorkers } = collective;
    const place = worker.state ? this.#placeOf(worker.state) : -1;
    const own = new Map((shardsOfWorkers[rank] ?? []).map((shard) => [shard, Float32Array.of(place)]));
    const all = await collective.gather("sync/places", own);
    const places = shardsOfWorkers.map(([shard = 0]) => all[shard] ?? -1);
    const having = places.filter((known) => known >= 0);
    const wanted = having.length === 0 ? -1 : from === "highest" ? Math.max(...having) : Math.min(...having);
    const giver = Math.max(0, places.indexOf(wanted));
    const known = worker.state ?? firstState(this.#run.model);
    const given = await collective.broadcast("sync/state", giver, rank === giver ? packTrainState(known) : undefined);
    await collective.release("sync");
    return unpackTrainState(given, this.#run.model);
  }

  /** Markers as numbers in their order. */
  #placeOf(state: TrainState): number {
    const { stepsPerEpoch } = memberOptions(this.#run, undefined).source;
    const marker = markerOf(state, stepsPerEpoch);
    return marker ? 2 * marker.step + Number(marker.phase === "validated") : 0;
  }

  #groupOf(collective: Collective, generation: Generation, hook: ProtocolHook | undefined): StepGroup {
    const log = new CommitLog(this.#control, this.#id, hook);
    const { id, number, base } = generation;
    let last = base?.marker ?? null;
    return {
      collective,
      async commit(marker, outcome) {
        if (compareMarkers(marker, base?.marker ?? null) <= 0) return; // stands: the step is done again
        const answer = await log.commit({ generation: { id, number }, after: last, marker, outcome });
        if (answer.status === "stale") throw new StaleGenerationError(id, answer.current);
        if (answer.status === "elsewhere") throw new Error("a commit was forgotten");
        last = marker;
      },
    };
  }
}

/** Stops a worker at the n-th time it passes a point, until `wake` resolves: never for one that was killed. */
export function stopAt(point: ProtocolPoint, nth: number, wake: Promise<void>) {
  let stopped = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  let passed = 0;
  const hook: ProtocolHook = async (at, tag) => {
    if (tag.startsWith("sync")) return; // training has not begun
    if (at === point) passed++;
    if (passed < nth) return;
    if (at === point && passed === nth) stopped();
    await wake; // whatever else it had begun does not go on either
  };
  return { hook, arrived };
}
