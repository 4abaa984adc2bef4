import { randomUUID } from "node:crypto";
import type { Committed, Generation, Marker, ProtocolHook } from "@gmc/collectives";
import { CommitLog, deleteRun } from "@gmc/collectives";
import { runKeys } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { acquireLease, openConnection, parseRedisUrl, readFence, releaseLease } from "@gmc/redis";
import { openRedis, redisMissing, redisServerMissing, startProxy, startRedisServer } from "@gmc/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";

const missing = redisMissing();
const trained = (step: number): Marker => ({ step, phase: "trained" });
const validated = (step: number): Marker => ({ step, phase: "validated" });

describe.skipIf(missing)(`CommitLog${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let url = "";
  let stop: () => Promise<void>;
  let control: RedisConnection;
  let reduce: RedisConnection;
  let run = "";
  let log: CommitLog;
  beforeAll(async () => {
    const first = await openRedis();
    const second = redisServerMissing() ? await openRedis() : await startRedisServer();
    url = first.url;
    control = await openConnection(parseRedisUrl(first.url));
    reduce = await openConnection(parseRedisUrl(second.url));
    stop = async () => {
      control.close();
      reduce.close();
      await first.close();
      await second.close();
    };
  });
  afterAll(() => stop());
  beforeEach(() => {
    run = `test-${randomUUID()}`;
    log = new CommitLog(control, run);
  });
  afterEach(async () => {
    await deleteRun([control, reduce], run);
    const left = await Promise.all([control, reduce].map((server) => server.command(["KEYS", `*${run}*`])));
    expect(left.flat()).toEqual([]);
  });

  async function open(after: string | null, more: { proposal?: string; plan?: unknown } = {}): Promise<Generation> {
    const outcome = await log.openGeneration({ after, plan: { shards: [[0]] }, servers: [reduce], ...more });
    if (outcome.status !== "opened") throw new Error(outcome.status);
    return outcome.generation;
  }
  const commit = (generation: Generation, after: Marker | null, marker: Marker, more = {}) =>
    log.commit({ generation, after, marker, ...more });

  test("the first generation has number 1, no base, and its fence is up when it is open", async () => {
    const generation = await open(null, { plan: { shards: [[0], [1]] } });
    expect(generation).toMatchObject({ number: 1, plan: { shards: [[0], [1]] }, base: null });
    expect(await log.generation()).toEqual(generation);
    expect(await readFence(reduce, runKeys(run).fence)).toBe(generation.id);
  });

  test("of two coordinators that open the next generation one wins, and the other learns which", async () => {
    const first = await open(null);
    const proposals = ["a", "b", "c"].map((proposal) =>
      log.openGeneration({ after: first.id, plan: proposal, servers: [reduce], proposal }),
    );
    const outcomes = await Promise.all(proposals);
    const opened = outcomes.flatMap((outcome) => (outcome.status === "opened" ? [outcome.generation] : []));
    expect(opened.length).toBe(1);
    expect(opened[0]?.number).toBe(2);
    for (const outcome of outcomes) if (outcome.status === "lost") expect(outcome.current).toEqual(opened[0]);
    expect(await readFence(reduce, runKeys(run).fence)).toBe(opened[0]?.id);
  });

  test("a generation that is proposed again, by the same attempt, is the one that was opened", async () => {
    const generation = await open(null, { proposal: "once" });
    expect(await open(null, { proposal: "once" })).toEqual(generation);
    expect((await log.generation())?.number).toBe(1);
  });

  test("only who holds the lease opens one", async () => {
    const key = runKeys(run).lease("coordinator");
    const lease = await acquireLease(control, key, "me", 60_000);
    const first = await log.openGeneration({ after: null, plan: 1, servers: [reduce], lease: lease! });
    expect(first.status).toBe("opened");
    await releaseLease(control, lease!);
    await acquireLease(control, key, "other", 60_000);
    const after = first.status === "opened" ? first.generation.id : null;
    expect(await log.openGeneration({ after, plan: 2, servers: [reduce], lease: lease! })).toEqual({
      status: "unleased",
    });
    expect((await log.generation())?.plan).toBe(1);
  });

  test("a step is committed once, whoever proposes it, and all are told so", async () => {
    const generation = await open(null);
    const outcomes = await Promise.all(
      [0, 1, 2].map((rank) => commit(generation, null, trained(1), { outcome: { rank } })),
    );
    for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
    const name = { number: 1, id: generation.id };
    expect(outcomes[0]).toMatchObject({ status: "committed", committed: { marker: trained(1), generation: name } });
    expect(await log.committed()).toEqual(outcomes[0]?.status === "committed" ? outcomes[0].committed : null);
  });

  test("a proposal that is sent again is no defeat, also when the next generation was opened in between", async () => {
    const generation = await open(null);
    const once = () => commit(generation, null, trained(1), { proposal: "mine", outcome: 1 });
    const first = await once();
    expect(await once()).toEqual(first);
    const next = await open(generation.id);
    expect(next.base).toMatchObject({ marker: trained(1), generation: { id: generation.id }, outcome: 1 });
    expect(await once()).toEqual(first);
    expect((await commit(next, trained(1), trained(2))).status).toBe("committed");
    expect(await once()).toEqual({ status: "stale", current: next.id });
  });

  test("a worker that proposes late learns that its step was committed, and by what it was followed", async () => {
    const generation = await open(null);
    await commit(generation, null, trained(1));
    await commit(generation, trained(1), validated(1), { outcome: { rate: 0.5 } });
    const late = await commit(generation, null, trained(1));
    expect(late).toMatchObject({ status: "committed", committed: { marker: validated(1), outcome: { rate: 0.5 } } });
    const other = await commit(generation, trained(1), validated(1), { outcome: { rate: 0.7 } });
    expect(other).toMatchObject({ status: "committed", committed: { outcome: { rate: 0.5 } } }); // the winner's
  });

  test("a stale generation commits nothing", async () => {
    const old = await open(null);
    const next = await open(old.id);
    expect(await commit(old, null, trained(1))).toEqual({ status: "stale", current: next.id });
    expect(await log.committed()).toBe(null);
  });

  test("commit and the next generation exclude each other: what is committed is the base, or it is not committed", async () => {
    for (let round = 0; round < 20; round++) {
      run = `test-${randomUUID()}`;
      log = new CommitLog(control, run);
      const old = await open(null);
      await commit(old, null, trained(1));
      const [committed, next] = await Promise.all([commit(old, trained(1), trained(2)), open(old.id)]);
      if (committed.status === "committed") expect(next.base?.marker).toEqual(trained(2));
      else expect(next.base?.marker).toEqual(trained(1));
      await deleteRun([control, reduce], run);
    }
  });

  test("no step is left out and none is done twice", async () => {
    const generation = await open(null);
    await commit(generation, null, trained(1));
    const committed = await log.committed();
    expect(await commit(generation, trained(2), trained(3))).toEqual({ status: "elsewhere", committed });
    await commit(generation, trained(1), trained(2));
    expect(await commit(generation, trained(5), trained(6))).toMatchObject({ status: "elsewhere" });
  });

  test("a control server that forgot its last commits is told what workers have applied, and the run goes on from there", async () => {
    const old = await open(null);
    for (const step of [1, 2, 3]) await commit(old, step === 1 ? null : trained(step - 1), trained(step));
    const applied = (await log.committed()) as Committed;
    await control.command(["DEL", runKeys(run).commit, runKeys(run).generation]);
    expect(await log.restore(applied)).toEqual(applied);
    expect(await log.restore({ ...applied, marker: trained(2) })).toEqual(applied); // nothing goes back
    const next = await open(null);
    expect(next.base).toEqual(applied);
    expect(next.number).toBe(2); // the fence remembers that there was a 1
    expect(await readFence(reduce, runKeys(run).fence)).toBe(next.id);
    expect((await commit(next, trained(3), trained(4))).status).toBe("committed");
  });

  test("proposals whose answer is lost with the connection are settled by the second sending", async ({ skip }) => {
    if (!url.startsWith("unix:")) return skip("the proxy of this test wants a Unix socket, not REDIS_URL");
    const proxy = await startProxy(url);
    onTestFinished(() => proxy.close());
    const shaky = await openConnection(parseRedisUrl(proxy.url));
    onTestFinished(() => shaky.close());
    const through = new CommitLog(shaky, run);
    let generation = await open(null);
    let after: Marker | null = null;
    for (let step = 1; step <= 6; step++) {
      proxy.hold(true); // the command leaves, the answer does not come
      const pending = through.commit({ generation, after, marker: trained(step) });
      await new Promise((resolve) => setTimeout(resolve, 20));
      proxy.hold(false);
      await new Promise((resolve) => setTimeout(resolve, step % 2));
      proxy.drop();
      expect((await pending).status).toBe("committed");
      after = trained(step);
      if (step === 3) generation = await open(generation.id);
    }
    expect((await log.committed())?.marker).toEqual(trained(6));
  });

  test("the named points are passed before and after the compare-and-set", async () => {
    const generation = await open(null);
    const seen: [string, string, Committed | null][] = [];
    const hook: ProtocolHook = async (point, tag) => void seen.push([point, tag, await log.committed()]);
    await new CommitLog(control, run, hook).commit({ generation, after: null, marker: trained(1) });
    expect(seen.map(([point, tag, committed]) => [point, tag, committed?.marker.step])).toEqual([
      ["commit:before", "1", undefined],
      ["commit:after", "1", 1],
    ]);
  });
});
