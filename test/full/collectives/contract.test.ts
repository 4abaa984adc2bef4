import { runKeys } from "@gmc/protocol";
import { openConnection, parseRedisUrl } from "@gmc/redis";
import { openRedis, redisMissing, redisServerMissing, startRedisServer } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeCollective } from "../../../packages/collectives/src/describe-collective.testing.ts";
import { openRedisGroup } from "./redis-group.ts";

const missing = redisMissing();
const note = missing ? ` (skipped: ${missing})` : "";

describe.skipIf(missing)(`over Redis${note}`, () => {
  const urls: string[] = [];
  const closers: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const own = redisServerMissing() ? [] : [await startRedisServer(), await startRedisServer()];
    const servers = [await openRedis(), ...own];
    urls.push(...servers.map(({ url }) => url));
    closers.push(...servers.map((server) => () => server.close()));
  });
  afterAll(() => Promise.all(closers.map((close) => close())));

  describeCollective("redis", (shares, options) => openRedisGroup(urls.slice(0, 1), shares, options));
  describe.skipIf(redisServerMissing())("several servers", () => {
    describeCollective("redis, three servers, small chunks", (shares, options) =>
      openRedisGroup(urls, shares, { ...options, chunkBytes: 24_000 }),
    );

    test("of two servers each carries one worker's part of a chunk", async () => {
      const group = await openRedisGroup(urls.slice(1), [[0], [1]]);
      const own = (rank: number) => new Map([[{ start: rank, end: rank + 1 }, new Float32Array(5000).fill(rank + 1)]]);
      const sums = await Promise.all(group.members.map((member, rank) => member.reduce("1/gradient", own(rank))));
      expect(sums).toEqual([new Float32Array(5000).fill(3), new Float32Array(5000).fill(3)]);
      for (const url of urls.slice(1)) {
        const connection = await openConnection(parseRedisUrl(url));
        const keys = (await connection.command(["KEYS", `${runKeys(group.run).prefix}*:v:*`])) as string[];
        connection.close();
        expect(keys).toHaveLength(1);
      }
      await group.close();
    });
  });
});
