import type { Collective, ProtocolHook, ProtocolPoint } from "@gmc/collectives";
import { PROTOCOL_POINTS } from "@gmc/collectives";
import { CancelledError, EnvironmentError, PeerLostError, StaleGenerationError } from "@gmc/core";
import type { RedisProxy, RedisServer } from "@gmc/testkit";
import { redisServerMissing, startProxy, startRedisServer } from "@gmc/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { expectBits } from "../../../packages/collectives/src/describe-collective.testing.ts";
import {
  concat,
  ownBlocks,
  ownSums,
  treeReference,
  vector,
} from "../../../packages/collectives/src/reference.testing.ts";
import type { RedisGroup, RedisGroupOptions } from "./redis-group.ts";
import { openRedisGroup } from "./redis-group.ts";

const missing = redisServerMissing();
const LENGTH = 60_000;
const vectors = [0, 1, 2, 3].map((v) => vector(v, LENGTH, 0));
const SHARES = [[0, 1], [2], [3]];
const SMALL_CHUNKS = 40_000; // 6 chunks a rank
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What a worker exchanges in a step. */
async function exchange(member: Collective, scope: string): Promise<{ z: Float32Array; g: Float32Array }> {
  const z = await member.gather(`${scope}/z`, ownBlocks(member, vectors));
  const g = await member.reduce(`${scope}/g`, ownSums(member, vectors, "fp32"));
  return { z, g };
}
function expectRight({ z, g }: { z: Float32Array; g: Float32Array }): void {
  expectBits(z, concat(vectors));
  expectBits(g, treeReference(vectors, 0, 4, "fp32"));
}
/** A promise that the test resolves itself. */
function signalled(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
const settled = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "done",
    (error: unknown) => error,
  ); // prettier-ignore

describe.skipIf(missing)(`faults${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let servers: RedisServer[];
  const groups: RedisGroup[] = [];
  const proxies: RedisProxy[] = [];
  beforeAll(async () => {
    servers = [await startRedisServer(), await startRedisServer()];
  });
  afterAll(() => Promise.all(servers.map((server) => server.close())));
  afterEach(async () => {
    for (const group of groups.splice(0)) await group.close();
    for (const proxy of proxies.splice(0)) await proxy.close();
  });
  const urls = () => servers.map(({ url }) => url);
  const open = async (options: RedisGroupOptions = {}, shares: readonly number[][] = SHARES): Promise<RedisGroup> => {
    const group = await openRedisGroup(urls(), shares, { chunkBytes: SMALL_CHUNKS, ...options });
    groups.push(group);
    return group;
  };
  /** Stops a rank for ever at the n-th time it passes a point, as a killed process does. */
  const dieAt =
    (victim: number, point: ProtocolPoint, dead: () => void, nth = 1) =>
    (rank: number): ProtocolHook | undefined => {
      let passed = 0;
      if (rank !== victim) return undefined;
      return (at) => {
        if (at !== point || ++passed < nth) return;
        dead();
        return new Promise(() => {});
      };
    };

  const POINTS = PROTOCOL_POINTS.filter((point) => /^(gather|reduce):/.test(point));
  test.each(POINTS)(
    "a worker that dies at %s is named, or not needed; the next generation gives the right bits",
    async (point) => {
      const died = signalled();
      const first = await open({ timeoutMs: 1200, hook: dieAt(1, point, died.resolve) });
      void exchange(first.members[1]!, "1").catch(() => {});
      const survivors = [first.members[0]!, first.members[2]!];
      const outcomes = survivors.map((member) => settled(exchange(member, "1").then(expectRight)));
      await died.promise;
      await first.members[1]!.close();
      for (const outcome of await Promise.all(outcomes)) {
        if (outcome === "done") continue;
        expect(outcome).toBeInstanceOf(PeerLostError);
      }
      const failures = (await Promise.all(outcomes)).filter((outcome) => outcome instanceof PeerLostError);
      if (["gather:before-write", "reduce:before-write", "gather:done", "reduce:before-sum"].includes(point)) {
        expect(failures.length).toBeGreaterThan(0);
        for (const failure of failures.slice(0, 1)) expect(failure.details.rank).toBe(1);
      }
      if (point === "reduce:done") expect(failures).toEqual([]);

      const next = await open({ run: first.run, number: 2 }, [[0, 1, 2], [3]]);
      for (const result of await Promise.all(next.members.map((member) => exchange(member, "1")))) expectRight(result);
    },
  );

  test("a generation that is over is told at once: its calls fail, its writes are refused and leave nothing", async () => {
    const old = await open({ timeoutMs: 30_000 });
    const [a, b] = old.members;
    const waiting = settled(exchange(a!, "1"));
    await pause(100);
    const nextId = await old.supersede();
    const keys = await old.keys();
    const failure = await waiting;
    expect(failure).toBeInstanceOf(StaleGenerationError);
    expect(failure).toMatchObject({ details: { generation: old.generation, current: nextId } });
    expect(await settled(b!.gather("2/z", ownBlocks(b!, vectors)))).toBeInstanceOf(StaleGenerationError);
    expect(await settled(b!.release("1"))).toBeInstanceOf(StaleGenerationError);
    expect(await old.keys()).toEqual(keys);
  });

  test("a worker that slept through the change of generation disturbs nobody", async () => {
    const wake = signalled();
    const asleep = signalled();
    const hook = (rank: number): ProtocolHook | undefined =>
      rank === 2
        ? async (point) => {
            if (point !== "reduce:before-sum-write") return;
            asleep.resolve();
            await wake.promise;
          }
        : undefined;
    const old = await open({ timeoutMs: 20_000, hook });
    const calls = old.members.map((member) => settled(exchange(member, "1")));
    await asleep.promise;
    await pause(100); // the others have written what they can
    const ofOld = async (group: RedisGroup) =>
      (await group.keys()).filter((key) => key.includes(`${old.generation}:v:`));
    const before = await ofOld(old);
    const next = await open({ run: old.run, number: 2 }, [
      [0, 1],
      [2, 3],
    ]);
    const running = Promise.all(next.members.map((member) => exchange(member, "1")));
    wake.resolve(); // writes the sums of the old generation now
    for (const result of await running) expectRight(result);
    for (const outcome of await Promise.all(calls)) expect(outcome).toBeInstanceOf(StaleGenerationError);
    expect(await ofOld(next)).toEqual(before);
    expect(before.filter((key) => key.includes("/g/s/")).length).toBeLessThan(6); // its own ones are missing
  });

  test.each([1, 2, 3])(
    "every connection is dropped again and again (%d): the bits are right and nothing hangs",
    async (seed) => {
      const own = await Promise.all(servers.map(({ url }) => startProxy(url)));
      proxies.push(...own);
      const group = await open({ urlsOf: () => own.map(({ url }) => url), timeoutMs: 30_000 });
      let dropping = true;
      const drops = (async () => {
        for (let turn = 0; dropping; turn++) {
          await pause(15 + ((turn * 37 + seed * 11) % 60));
          own[turn % 2]!.dropAfterBytes(turn % 3 === 0 ? 5_000 + ((turn * 7919) % 90_000) : undefined);
          own[turn % 2]!.drop();
        }
      })();
      for (let step = 0; step < 5; step++) {
        const results = await Promise.all(group.members.map((member) => exchange(member, `${step}`)));
        for (const result of results) expectRight(result);
        await Promise.all(group.members.map((member) => member.release(`${step}`)));
      }
      dropping = false;
      await drops;
      for (const proxy of own) proxy.dropAfterBytes(undefined);
      expect((await group.keys()).filter((key) => key.includes(":v:"))).toEqual([]);
    },
  );

  test("a server that stops answering is named after the deadline, not a peer", async () => {
    const group = await open({ timeoutMs: 4500 });
    const first = await Promise.all(group.members.map((member) => exchange(member, "1")));
    for (const result of first) expectRight(result);
    servers[1]!.pause();
    try {
      const outcomes = await Promise.all(group.members.map((member) => settled(exchange(member, "2"))));
      for (const outcome of outcomes) {
        expect(outcome).toBeInstanceOf(EnvironmentError);
        expect(outcome).toMatchObject({ message: expect.stringContaining(servers[1]!.url) });
      }
    } finally {
      servers[1]!.resume();
    }
  });

  test("a reduce server that comes back without its data refuses the open generation; the next one is right", async () => {
    const old = await open({ timeoutMs: 20_000 });
    await Promise.all(old.members.map((member) => exchange(member, "1")));
    const [a] = old.members;
    const waiting = settled(exchange(a!, "2"));
    await pause(100);
    await Promise.all(servers.map((server) => server.restart()));
    const late = await Promise.all(old.members.slice(1).map((member) => settled(exchange(member, "2"))));
    for (const outcome of late)
      expect(outcome).toMatchObject({ code: "ERR_STALE_GENERATION", details: { current: null } });
    const next = await open({ run: old.run, number: 2 });
    for (const result of await Promise.all(next.members.map((member) => exchange(member, "2")))) expectRight(result);
    await old.members[0]!.close();
    expect(await waiting).toBeInstanceOf(CancelledError);
  });

  test("a call that was given up while its data were on their way does not spoil what others read", async () => {
    const own = await startProxy(servers[0]!.url);
    proxies.push(own);
    const group = await openRedisGroup([servers[0]!.url], [[0], [1]], {
      timeoutMs: 20_000,
      urlsOf: (rank) => [rank === 0 ? own.url : servers[0]!.url],
    });
    groups.push(group);
    const [a, b] = group.members;
    const large = [vector(0, 1_000_000, 5), vector(1, 1_000_000, 5)];
    await Promise.all([a!, b!].map((member) => member.gather("1/start", ownBlocks(member, vectors.slice(0, 2)))));
    own.hold(true); // the data of rank 0 stay in its process
    const memory = large[0]!.slice();
    const controller = new AbortController();
    const given = settled(a!.gather("1/z", new Map([[0, memory]]), controller.signal));
    await pause(50);
    controller.abort();
    expect(await given).toBeInstanceOf(CancelledError);
    memory.fill(Number.NaN); // its owner uses it for something else
    const other = b!.gather("1/z", new Map([[1, large[1]!]]));
    own.hold(false);
    expectBits(await other, concat(large));
  });

  test("a step that all have released leaves no value behind", async () => {
    const group = await open();
    await Promise.all(group.members.map((member) => exchange(member, "7")));
    for (const member of group.members.slice(1)) await member.release("7");
    expect((await group.keys()).filter((key) => key.includes(":v:")).length).toBeGreaterThan(0);
    await group.members[0]!.release("7");
    expect((await group.keys()).filter((key) => key.includes(":v:") || key.includes(":values:"))).toEqual([]);
  });

  test("over many steps the keys and the memory of the servers stay flat, and after the run nothing is left", async () => {
    const group = await open();
    const counts: number[] = [];
    for (let step = 0; step < 40; step++) {
      await Promise.all(group.members.map((member) => exchange(member, `${step}`)));
      await Promise.all(group.members.map((member) => member.release(`${step}`)));
      if (step % 10 === 9) counts.push((await group.keys()).length);
    }
    expect(Math.max(...counts)).toBeLessThanOrEqual(counts[0]! + 2);
    await group.close();
    groups.length = 0;
    const again = await open({ run: group.run });
    expect((await again.keys()).length).toBeLessThanOrEqual(4); // the fences and registries of the new one
  });
});
