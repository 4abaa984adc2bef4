import { CancelledError, EnvironmentError } from "@gmc/core";
import { openConnection, parseRedisUrl, RedisChannel } from "@gmc/redis";
import type { RedisProxy, RedisServer } from "@gmc/testkit";
import { redisServerMissing, startProxy, startRedisServer } from "@gmc/testkit";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";

const missing = redisServerMissing();

class ByteSink {
  readonly bytes: Uint8Array;
  #at = 0;
  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }
  write(piece: Uint8Array): void {
    this.bytes.set(piece, this.#at);
    this.#at += piece.length;
  }
}

describe.skipIf(missing)(`RedisChannel${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  const server = async (config: Record<string, string | string[]> = {}): Promise<RedisServer> => {
    const started = await startRedisServer({ config });
    closers.push(() => started.close());
    return started;
  };
  const proxied = async (): Promise<RedisProxy> => {
    const proxy = await startProxy((await server()).url);
    closers.push(() => proxy.close());
    return proxy;
  };
  const channel = (url: string, options = {}): RedisChannel => {
    const opened = new RedisChannel(parseRedisUrl(url), { readBytes: 262_144, ...options });
    closers.push(() => opened.close());
    return opened;
  };
  const bytes = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) % 251);
  const target = (sizeBytes: number) => new ByteSink(sizeBytes);
  const bytesOf = (reply: unknown): Uint8Array => (reply as ByteSink).bytes;

  test("bytes of any size come back as they were sent, in order, with many commands in flight", async () => {
    const redis = channel((await server()).url);
    const sizes = [0, 1, 15, 4096, 65_535, 65_536, 262_143, 1_500_000];
    const written = await Promise.all(sizes.map((size, i) => redis.send(["SET", `k${i}`, bytes(size, i)])));
    expect(written).toEqual(sizes.map(() => "OK"));
    const read = await Promise.all(sizes.map((_, i) => redis.send(["GET", `k${i}`], { target })));
    for (const [i, size] of sizes.entries()) expect(Buffer.compare(bytesOf(read[i]), bytes(size, i))).toBe(0);
    expect(await redis.send(["GET", "absent"], { target })).toBe(null);
    await expect(redis.send(["LPUSH", "k0", "x"])).rejects.toThrow(/WRONGTYPE/);
    expect(await redis.send(["GET", "k1"])).toBe("\0".replace("\0", String.fromCharCode(bytes(1, 1)[0]!)));
  });

  test("commands that a broken connection left unanswered are sent again, also when it breaks within a reply", async () => {
    const proxy = await proxied();
    const redis = channel(proxy.url);
    await redis.send(["SET", "big", bytes(900_000, 7)]);
    proxy.dropAfterBytes(300_000); // every new connection ends in the middle of the value
    proxy.drop();
    const waiting = Promise.all([redis.send(["GET", "big"], { target }), redis.send(["INCRBY", "n", 0])]);
    await expect.poll(() => proxy.accepted).toBeGreaterThan(2);
    proxy.dropAfterBytes(undefined);
    const [value, n] = await waiting;
    expect(Buffer.compare(bytesOf(value), bytes(900_000, 7))).toBe(0);
    expect(n).toBe(0);
  });

  test("a connection on which nothing comes any more is opened anew", async () => {
    const proxy = await proxied();
    const lost: Error[] = [];
    const redis = channel(proxy.url, { stallMs: 1500, onLost: (cause: Error) => lost.push(cause) });
    await redis.send(["SET", "a", "1"]);
    proxy.hold(true);
    const answer = redis.send(["GET", "a"]);
    await expect.poll(() => lost.length, { timeout: 5000 }).toBeGreaterThan(0);
    proxy.hold(false);
    expect(await answer).toBe("1");
  });

  test("a password, a database and an ACL user are used on every connection", async () => {
    const url = (await server({ requirepass: "s p", user: ["gmc", "on", ">secret", "~gmc:*", "+@all"] })).url;
    const user = channel(`${url.replace("unix://", "unix://gmc:secret@localhost")}?db=1`);
    expect(await user.send(["SET", "gmc:x", "1"])).toBe("OK");
    await expect(user.send(["SET", "other", "1"])).rejects.toThrow(/NOPERM/);
    await expect(user.send(["CLIENT", "KILL", "SKIPME", "no"])).resolves.toBeTypeOf("number");
    expect(await user.send(["GET", "gmc:x"])).toBe("1");
    const main = channel(url.replace("unix://", "unix://:s%20p@localhost"));
    expect(await main.send(["GET", "gmc:x"])).toBe(null); // in database 0
  });

  test("a wrong password ends the channel at once, naming the server and not the password", async () => {
    const url = (await server({ requirepass: "right" })).url;
    for (const wrong of [url, url.replace("unix://", "unix://:wrong@localhost")]) {
      const failure = channel(wrong).send(["PING"]);
      await expect(failure).rejects.toThrow(EnvironmentError);
      await expect(failure).rejects.toThrow(/redis\.sock refuses us/);
      await expect(failure).rejects.not.toThrow(/"wrong"/);
    }
  });

  test("an argument in pieces is one argument", async () => {
    const redis = channel((await server()).url);
    await redis.send(["SET", "k", [bytes(10, 1), bytes(0, 0), bytes(300_000, 2)]]);
    const value = bytesOf(await redis.send(["GET", "k"], { target }));
    expect(Buffer.compare(value, Buffer.concat([bytes(10, 1), bytes(300_000, 2)]))).toBe(0);
  });

  test("memory that was taken back may change at once: what arrives is what it was", async () => {
    const proxy = await proxied();
    const redis = channel(proxy.url);
    await redis.send(["PING"]);
    proxy.hold(true); // most of it stays in this process
    const memory = bytes(4_000_000, 3);
    const owner = {};
    const writes = ["a", "b"].map((key) => redis.send(["SET", key, memory], { owner }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    redis.detach(owner);
    memory.fill(0);
    proxy.hold(false);
    expect(await Promise.all(writes)).toEqual(["OK", "OK"]);
    for (const key of ["a", "b"]) {
      const value = bytesOf(await redis.send(["GET", key], { target }));
      expect(Buffer.compare(value, bytes(4_000_000, 3))).toBe(0);
    }
    await expect(redis.send(["SET", "c", memory], { owner })).rejects.toThrow(CancelledError);
  });

  test("a script is known by its hash, and again after the server forgot it", async () => {
    const redis = channel((await server()).url);
    const script = { name: "add", lua: "return ARGV[1] + 1 -- a script of this test" };
    expect(await redis.evaluate(script, [], [4])).toBe(5);
    await redis.send(["SCRIPT", "FLUSH"]);
    expect(await redis.evaluate(script, [], [5])).toBe(6);
  });

  test("close rejects what waits and every later command", async () => {
    const redis = channel((await server()).url);
    await redis.send(["PING"]);
    const waiting = redis.send(["XREAD", "BLOCK", 0, "STREAMS", "s", "0"]);
    redis.close();
    await expect(waiting).rejects.toThrow(CancelledError);
    await expect(redis.send(["PING"])).rejects.toThrow(CancelledError);
  });

  test("a server that comes back without its data is another one: connections say so", async () => {
    const own = await server();
    const connection = await openConnection(parseRedisUrl(own.url));
    onTestFinished(() => connection.close());
    const before = connection.runId;
    const seen = new Promise<[string, string]>((resolve) => connection.onRestart((...ids) => resolve(ids)));
    const redis = channel(own.url);
    await redis.send(["SET", "a", "1"]);
    await own.restart();
    expect(await redis.send(["GET", "a"])).toBe(null);
    const [after, previous] = await seen;
    expect(previous).toBe(before);
    expect(after).not.toBe(before);
    expect(connection.runId).toBe(after);
  });
});
