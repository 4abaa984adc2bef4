import type { RedisConnection } from "@gmc/redis";
import {
  acquireLease,
  compareAndSet,
  deleteTracked,
  leaseGuard,
  openConnection,
  parseRedisUrl,
  RedisChannel,
  raiseFence,
  readFence,
  readRecord,
  releaseLease,
  releaseValues,
  renewLease,
  trackKey,
  writeFenced,
} from "@gmc/redis";
import { openRedis, redisMissing } from "@gmc/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

const missing = redisMissing();
const prefix = `gmc:{scripts-${process.pid}}:`;
const registry = `${prefix}registry`;
const fence = `${prefix}fence`;

describe.skipIf(missing)(`scripts${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let redis: RedisConnection;
  let channel: RedisChannel;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    const server = await openRedis();
    stop = () => server.close();
    redis = await openConnection(parseRedisUrl(server.url));
    channel = new RedisChannel(parseRedisUrl(server.url));
  });
  const keys = async () => ((await redis.command(["KEYS", `${prefix}*`])) as string[]).sort();
  afterEach(async () => {
    for (const key of await keys()) await redis.command(["DEL", key]);
  });
  afterAll(async () => {
    channel.close();
    redis.close();
    await stop();
  });

  describe("compare-and-set", () => {
    const key = `${prefix}record`;
    const propose = (expected: string | null, version: string, proposal: string, more = {}) =>
      compareAndSet(redis, { key, expected, version, proposal, value: `value of ${proposal}`, ...more });

    test("of two proposers one wins, and the other is told what is there", async () => {
      const [a, b] = await Promise.all([propose(null, "1", "a"), propose(null, "1", "b")]);
      expect([a.status, b.status]).toEqual(["set", "lost"]);
      expect(b.record).toMatchObject({ version: "1", proposal: "a", value: "value of a" });
      expect(await readRecord(redis, key)).toMatchObject({ version: "1", proposal: "a" });
    });

    test("a proposal that is sent again answers done, and changes nothing", async () => {
      expect((await propose(null, "1", "a")).status).toBe("set");
      expect((await propose(null, "1", "a")).status).toBe("done");
      expect((await propose("1", "2", "b")).status).toBe("set");
      expect((await propose("1", "2", "b")).status).toBe("done");
      expect((await propose(null, "1", "a")).status).toBe("lost"); // the world went on
      expect(await readRecord(redis, key)).toMatchObject({ version: "2", value: "value of b" });
    });

    test("a record that is not there is not one that is, and the other way round", async () => {
      expect(await propose("1", "2", "a")).toEqual({ status: "lost", record: null });
      expect(await readRecord(redis, key)).toBe(null);
    });

    test("a guard with another version refuses; a proposal accepted before stays accepted", async () => {
      const guard = `${prefix}guard`;
      const guards = (version: string | null) => ({ guards: [{ key: guard, version }] });
      expect(await propose(null, "1", "a", guards("g1"))).toEqual({ status: "guarded", guard: "", record: null });
      await compareAndSet(redis, { key: guard, expected: null, version: "g1", proposal: "p", value: "" });
      expect((await propose(null, "1", "a", guards("g1"))).status).toBe("set");
      await compareAndSet(redis, { key: guard, expected: "g1", version: "g2", proposal: "q", value: "" });
      expect((await propose(null, "1", "a", guards("g1"))).status).toBe("done");
      expect(await propose("1", "2", "b", guards("g1"))).toMatchObject({ status: "guarded", guard: "g2" });
      expect((await propose("1", "2", "b", guards("g2"))).status).toBe("set");
    });

    test("what another record was in that moment is written down with the new one", async () => {
      const other = `${prefix}other`;
      const capture = { capture: other, guards: [{ key: `${prefix}none`, version: null }] };
      expect((await propose(null, "1", "a", capture)).record?.captured).toBe(null);
      await compareAndSet(redis, { key: other, expected: null, version: "7", proposal: "p", value: "seven" });
      expect((await propose("1", "2", "b", capture)).record?.captured).toEqual({ version: "7", value: "seven" });
      await compareAndSet(redis, { key: other, expected: "7", version: "8", proposal: "q", value: "eight" });
      expect((await readRecord(redis, key))?.captured).toEqual({ version: "7", value: "seven" });
    });
  });

  describe("leases", () => {
    const key = `${prefix}lease:x`;

    test("one owner has it; a request sent again prolongs it; the next owner's token is larger", async () => {
      const first = await acquireLease(redis, key, "a", 5000);
      expect(first).toMatchObject({ owner: "a" });
      expect(await acquireLease(redis, key, "b", 5000)).toBe(null);
      expect(await acquireLease(redis, key, "a", 5000)).toEqual(first);
      await releaseLease(redis, first!);
      const second = await acquireLease(redis, key, "b", 5000);
      expect(second!.token).toBeGreaterThan(first!.token);
      expect(await renewLease(redis, first!, 5000)).toBe(false);
      await releaseLease(redis, first!); // too late: nothing happens
      expect(await renewLease(redis, second!, 5000)).toBe(true);
    });

    test("it ends by itself, and who held it cannot renew it nor write under its guard", async () => {
      const lease = await acquireLease(redis, key, "a", 60);
      const write = (proposal: string) =>
        compareAndSet(redis, {
          key: `${prefix}record`,
          expected: null,
          version: "1",
          proposal,
          value: "",
          guards: [leaseGuard(lease!)],
        });
      await expect.poll(() => acquireLease(redis, key, "b", 5000)).not.toBe(null);
      expect(await renewLease(redis, lease!, 5000)).toBe(false);
      expect((await write("late")).status).toBe("guarded");
    });
  });

  describe("the fence", () => {
    const target = { fence, registry, prefix };
    const raise = (number: number, id: string) => raiseFence(redis, target, { number, id }, 60_000);
    const at = (generation: string, name: string, slot = 0) => ({
      fence,
      generation,
      name,
      key: `${prefix}${generation}:v:${name}`,
      stage: `${prefix}${generation}:stage:0:${slot}`,
      values: `${prefix}${generation}:values:5`,
      registry,
      door: `${prefix}${generation}:door:all`,
      guardMs: 60_000,
    });
    const release = (generation: string, rank: number, ranks = 2) =>
      releaseValues(
        redis,
        {
          fence,
          generation,
          registry,
          values: `${prefix}${generation}:values:5`,
          released: `${prefix}${generation}:released:5`,
        },
        rank,
        ranks,
        60_000,
      );

    test("only a larger number raises it, whoever comes; the same generation may come twice", async () => {
      expect((await raise(1, "1-a")).status).toBe("raised");
      expect((await raise(1, "1-a")).status).toBe("raised");
      expect(await raise(1, "1-b")).toEqual({ status: "refused", number: 1, id: "1-a" });
      expect((await raise(3, "3-c")).status).toBe("raised");
      expect(await raise(2, "2-d")).toEqual({ status: "refused", number: 3, id: "3-c" });
      expect(await readFence(redis, fence)).toBe("3-c");
    });

    test("writes of the current generation pass, of any other and without a fence they are refused and leave nothing", async () => {
      const payload = [Uint8Array.of(1), Uint8Array.of(2, 3)];
      expect(await writeFenced(channel, at("1-a", "5/x"), payload)).toBe("refused");
      await raise(1, "1-a");
      expect(await writeFenced(channel, at("1-a", "5/x"), payload)).toBe("written");
      const before = await keys();
      expect(await writeFenced(channel, at("1-b", "5/x"), payload)).toBe("refused");
      expect(await writeFenced(channel, at("1-a", "5/x"), payload)).toBe("written"); // once more
      expect(await keys()).toEqual(before);
      expect(await redis.command(["GET", `${prefix}1-a:v:5/x`])).toBe("\u0001\u0002\u0003");
      await raise(2, "2-a");
      expect(await writeFenced(channel, at("1-a", "5/y"), payload)).toBe("refused");
      expect(await keys()).toEqual(before);
    });

    test("every key has a time to live", async () => {
      await raise(1, "1-a");
      await writeFenced(channel, at("1-a", "5/x"), [Uint8Array.of(1)]);
      await release("1-a", 0);
      const found = await keys();
      expect(found.length).toBe(6);
      for (const key of found) expect(await redis.command(["PTTL", key]), key).toBeGreaterThan(0);
    });

    test("values go when the last rank has released them, and a release said twice counts once", async () => {
      await raise(1, "1-a");
      await Promise.all([0, 1, 2].map((i) => writeFenced(channel, at("1-a", `5/${i}`, i), [Uint8Array.of(i)])));
      expect(await release("1-a", 0)).toBe("released");
      expect(await release("1-a", 0)).toBe("released");
      expect((await keys()).filter((key) => key.includes(":v:")).length).toBe(3);
      expect(await release("1-b", 1)).toBe("refused");
      expect(await release("1-a", 1)).toBe("released");
      expect(await release("1-a", 1)).toBe("released");
      expect(await keys()).toEqual([`${prefix}1-a:door:all`, fence, registry].sort());
    });

    test("deleting takes what the registry names under the prefix, in batches, and nothing else", async () => {
      await raise(1, "1-a");
      const writes = Array.from({ length: 700 }, (_, i) =>
        writeFenced(channel, at("1-a", `5/${i}`, i), [Uint8Array.of(1)]),
      );
      await Promise.all(writes);
      await redis.command(["SET", `${prefix}mine`, "1"]);
      await redis.command(["SET", `${prefix}foreign`, "1"]);
      await trackKey(redis, registry, `${prefix}mine`);
      expect(await deleteTracked(redis, registry, `${prefix}1-a:`)).toBeGreaterThanOrEqual(700);
      expect(await keys()).toEqual([`${prefix}foreign`, `${prefix}mine`, fence, registry].sort());
      await deleteTracked(redis, registry, prefix);
      expect(await keys()).toEqual([`${prefix}foreign`]);
    });
  });
});
