import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError, EnvironmentError } from "@gmc/core";
import { redisServerMissing } from "@gmc/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import { openServer } from "./open-server.ts";
import type { StartRedisOptions } from "./start-server.ts";
import { startRedis } from "./start-server.ts";

const missing = redisServerMissing();

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "gmc-start-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function started(options: Omit<StartRedisOptions, "dir"> & { dir?: string }) {
  const server = await startRedis({ dir: folder(), ...options });
  onTestFinished(() => server.close());
  return server;
}

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function gone(pid: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; alive(pid); ) {
    if (Date.now() > deadline) throw new Error(`process ${pid} is still there after 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test.each(["0.0.0.0", "::", "192.0.2.1"])("a public address (%s) without a password is refused", async (bind) => {
  const starting = startRedis({ dir: folder(), role: "control", bind });
  await expect(starting).rejects.toThrow(ConfigError);
  await expect(starting).rejects.toThrow(/give a password, or bind 127\.0\.0\.1/);
});

test("where there is no redis-server the message says how to get one", async () => {
  const path = process.env.PATH;
  onTestFinished(() => {
    process.env.PATH = path;
  });
  const dir = folder();
  process.env.PATH = join(dir, "bin");
  const starting = startRedis({ dir, role: "reduce" });
  await expect(starting).rejects.toThrow(EnvironmentError);
  await expect(starting).rejects.toThrow(/apt-get install redis-server/);
});

describe.skipIf(missing)(`a server of our own${missing ? ` (skipped: ${missing})` : ""}`, () => {
  test("it listens on a socket of this user's, and close leaves no process", async () => {
    const dir = folder();
    const server = await started({ dir, role: "reduce" });
    expect(server.url).toBe(`unix://${dir}/redis.sock`);
    expect(statSync(join(dir, "redis.sock")).mode & 0o777).toBe(0o700);
    (await openServer(server.url, "reduce")).close();
    await server.close();
    expect(alive(server.pid)).toBe(false);
  });

  test("what a control server knew is there after a restart in the same folder", async () => {
    const dir = folder();
    const first = await started({ dir, role: "control" });
    const connection = await openServer(first.url, "control");
    await connection.command(["SET", "a", "1"]);
    connection.close();
    await first.close();
    const second = await started({ dir, role: "control" });
    const again = await openServer(second.url, "control");
    expect(await again.command(["GET", "a"])).toBe("1");
    again.close();
  });

  test("a password, however odd, is asked for, stands in no argument and in a file that only this user reads", async () => {
    const dir = folder();
    const password = 'p "\\@/:é#?';
    const server = await started({ dir, role: "control", port: 0, password });
    expect(server.url).toMatch(/^redis:\/\/:.+@127\.0\.0\.1:\d+$/);
    (await openServer(server.url, "control")).close();
    await expect(openServer(server.url.replace(/:[^/]+@/, ""), "control")).rejects.toThrow(/NOAUTH/);
    expect(statSync(join(dir, "redis.conf")).mode & 0o777).toBe(0o600);
    if (existsSync("/proc")) expect(readFileSync(`/proc/${server.pid}/cmdline`, "utf8")).not.toContain("é#");
  });

  test("with a password every address may be bound, and the URL names the host it is reached by", async () => {
    const server = await started({ role: "reduce", bind: "0.0.0.0", host: "localhost", password: "secret" });
    expect(server.url).toMatch(/^redis:\/\/:secret@localhost:\d+$/);
    (await openServer(server.url, "reduce")).close();
  });

  test("a server that does not come up says why", async () => {
    const starting = startRedis({ dir: folder(), role: "reduce", settings: { "no-such-setting": "1" } });
    await expect(starting).rejects.toThrow(EnvironmentError);
    await expect(starting).rejects.toThrow(/no-such-setting/);
  });

  test("its end is told when somebody kills it, and its temporary folder stays until close", async () => {
    const dir = join(folder(), "redis");
    const server = await started({ dir, role: "control", temporary: true });
    process.kill(server.pid, "SIGKILL");
    expect(await server.ended).toMatch(/ready to accept connections/);
    expect(existsSync(join(dir, "appendonlydir"))).toBe(true);
    await server.close();
    expect(existsSync(dir)).toBe(false);
  });

  test("it ends and its temporary folder goes when the process that started it is killed", async () => {
    const dir = join(folder(), "outer", "redis");
    const script = `
      import { startRedis } from "@gmc/redis";
      const server = await startRedis({ dir: ${JSON.stringify(dir)}, role: "control", temporary: true });
      console.log(server.pid);
      setInterval(() => {}, 1000);`;
    const args = ["--import", "tsx", "--conditions=@gmc/source", "--input-type=module", "-e", script];
    const cwd = fileURLToPath(new URL("..", import.meta.url));
    const parent = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "inherit"] });
    const pid = await new Promise<number>((resolve) => parent.stdout.once("data", (text) => resolve(Number(text))));
    expect(alive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await gone(pid);
    for (const deadline = Date.now() + 5000; existsSync(join(dir, "..")) && Date.now() < deadline; )
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(existsSync(join(dir, ".."))).toBe(false);
  });
});
