import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "@gmc/core";
import { EnvironmentError } from "@gmc/core";
import { openServer, parseRedisUrl, RedisChannel } from "@gmc/redis";
import { redisServerMissing, startRedisServer } from "@gmc/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../support/free-port.ts";

const missing = redisServerMissing();
const openssl = spawnSync("openssl", ["version"]).status === 0;

async function server(config: Record<string, string | string[]>) {
  const started = await startRedisServer({ config });
  onTestFinished(() => started.close());
  return started.url;
}

describe.skipIf(missing)(`a server and its role${missing ? ` (skipped: ${missing})` : ""}`, () => {
  test.each(["control", "reduce"] as const)(
    "a %s server that evicts is refused with the setting to change",
    async (role) => {
      const url = await server({ "maxmemory-policy": "allkeys-lru" });
      const opening = openServer(url, role);
      await expect(opening).rejects.toThrow(EnvironmentError);
      await expect(opening).rejects.toThrow(/CONFIG SET maxmemory-policy noeviction/);
      await expect(opening).rejects.toMatchObject({ details: { setting: "maxmemory-policy", neededFor: role } });
    },
  );

  test("a control server without an append-only file is taken with a warning, a reduce server without one", async () => {
    const events: string[] = [];
    const logger: Logger = { info() {}, warn: (event, fields) => events.push(`${event}: ${fields?.remark}`) };
    const url = await server({});
    (await openServer(url, "reduce", { logger })).close();
    expect(events).toEqual([]);
    (await openServer(url, "control", { logger })).close();
    expect(events).toEqual([expect.stringMatching(/^redis\.setting: .*appendonly yes/)]);
  });

  test("where nobody listens the message names the address, and the password is not in it", async () => {
    const port = await freePort();
    const opening = openServer(`redis://:secret@127.0.0.1:${port}`, "control", { connectTimeoutMs: 300 });
    await expect(opening).rejects.toThrow(EnvironmentError);
    await expect(opening).rejects.toThrow(new RegExp(`redis://127.0.0.1:${port}: .*ECONNREFUSED`));
    await expect(opening).rejects.not.toThrow(/secret/);
  });

  test("a wrong password is told at once, not after the time-out", async () => {
    const url = await server({ requirepass: "right" });
    const before = performance.now();
    await expect(openServer(url.replace("://", "://:wrong@localhost"), "control")).rejects.toThrow(/WRONGPASS|NOAUTH/);
    expect(performance.now() - before).toBeLessThan(5000);
    (await openServer(url.replace("://", "://:right@localhost"), "control")).close();
  });

  test.skipIf(!openssl)(
    `TLS with an authority of one's own${openssl ? "" : " (skipped: no openssl on the PATH)"}`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "gmc-tls-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
      const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert];
      expect(spawnSync("openssl", [...request, ...names]).status).toBe(0);
      const port = await freePort();
      await server({
        "tls-port": String(port),
        "tls-cert-file": cert,
        "tls-key-file": key,
        "tls-ca-cert-file": cert,
        "tls-auth-clients": "no",
        requirepass: "secret",
      });
      for (const host of ["localhost", "127.0.0.1"]) {
        const url = `rediss://:secret@${host}:${port}?ca=${encodeURIComponent(cert)}`;
        const connection = await openServer(url, "control");
        expect(await connection.command(["SET", "a", "1"])).toBe("OK");
        connection.close();
        const channel = new RedisChannel(parseRedisUrl(url));
        const value = new Uint8Array(300_000).fill(7);
        await channel.send(["SET", "big", value]);
        const pieces: Buffer[] = [];
        const target = () => ({ write: (piece: Uint8Array) => void pieces.push(Buffer.from(piece)) });
        await channel.send(["GET", "big"], { target });
        expect(Buffer.compare(Buffer.concat(pieces), value)).toBe(0);
        channel.close();
      }
      const untrusted = openServer(`rediss://:secret@localhost:${port}`, "control", { connectTimeoutMs: 500 });
      await expect(untrusted).rejects.toThrow(/self-signed|certificate/i);
    },
  );
});
