import { openRedis, redisMissing, redisServerMissing, startRedisServer } from "@gmc/testkit";
import { afterAll, beforeAll, describe } from "vitest";
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
  });
});
