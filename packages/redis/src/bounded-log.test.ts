import { redisServerMissing, startRedisServer } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BoundedLog } from "./bounded-log.ts";
import type { RedisConnection } from "./connection.ts";
import { openServer } from "./open-server.ts";

const missing = redisServerMissing();

describe.skipIf(missing)(`bounded log${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let server: Awaited<ReturnType<typeof startRedisServer>>;
  let connection: RedisConnection;
  const lines = async (list: string) => await connection.command(["LRANGE", list, 0, -1]);

  beforeAll(async () => {
    server = await startRedisServer();
    connection = await openServer(server.url, "control");
  });
  afterAll(async () => {
    connection?.close();
    await server?.close();
  });

  test("the latest lines are kept, in order, and long ones are cut", async () => {
    await connection.command(["SET", "job", "1"]);
    const log = new BoundedLog(connection, { owner: "job", list: "log", most: 3 });
    for (const line of ["a", "b"]) log.write(line);
    await log.flush();
    for (const line of ["c", "d", "e".repeat(5000)]) log.write(line);
    await log.flush();
    expect(await lines("log")).toEqual(["c", "d", "e".repeat(4096)]);
  });

  test("lines come by themselves after a while", async () => {
    await connection.command(["SET", "job", "1"]);
    const log = new BoundedLog(connection, { owner: "job", list: "slow", most: 3, everyMs: 10 });
    log.write("a");
    await expect.poll(() => lines("slow")).toEqual(["a"]);
  });

  test("a log ends with its owner, and a Redis that is gone holds nobody up", async () => {
    await connection.command(["DEL", "job"]);
    const log = new BoundedLog(connection, { owner: "job", list: "gone", most: 3 });
    log.write("a");
    await log.flush();
    expect(await connection.command(["EXISTS", "gone"])).toBe(0);
    const broken = { evaluate: () => Promise.reject(new Error("away")) };
    const lost = new BoundedLog(broken, { owner: "job", list: "x", most: 3 });
    lost.write("a");
    await expect(lost.flush()).resolves.toBe(undefined);
  });
});
