import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { redisServerMissing, startRedisServer } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { TrainDocument } from "../../e2e/gmc.ts";
import { gmcJson, ROOT, start, workFolder } from "../../e2e/gmc.ts";
import { WAIT } from "../../support/cluster/test-cluster.ts";
import { leftOver, markedProcesses, ours, processesHidden } from "./processes.ts";

const missing = redisServerMissing() ?? processesHidden();
const CONFIG = ["train", join(ROOT, "examples/demo.yaml"), "--training.shards", "4", "--training.epochs", "4"];

interface StatusDocument {
  readonly coordinator: string | null;
  readonly workers: readonly { readonly id: string; readonly state: string; readonly threads: number }[];
  readonly finished: number;
}

describe.skipIf(missing)(`gmc cluster${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = workFolder();
  const mark = { TMPDIR: join(folder.path, "tmp") };
  let single: TrainDocument;

  beforeAll(async () => {
    mkdirSync(mark.TMPDIR);
    await gmcJson(
      ["data", "synth", "--out", "data/synth", "--train", "256", "--test", "20", "--seed", "1"],
      folder.path,
    );
    single = await gmcJson<TrainDocument>([...CONFIG, "--out", "runs/single"], folder.path);
  });
  afterAll(async () => {
    for (const { pid } of markedProcesses(mark.TMPDIR)) process.kill(pid, "SIGKILL");
    folder.close();
  });

  async function call<T>(args: readonly string[], wanted = 0, env: Readonly<Record<string, string>> = {}): Promise<T> {
    const { code, stdout, stderr } = await start([...args, "--json"], folder.path, { ...mark, ...env }).ended;
    expect(code, `gmc ${args.join(" ")}\n${stderr}`).toBe(wanted);
    return JSON.parse(stdout);
  }
  type Failure = { readonly error: { readonly code: string; readonly message: string } };

  test("up, train, status, down: one cluster trains several runs, and nothing is left of it but its folder", async () => {
    const up = await call<{ pid: number; redis: string }>(["cluster", "up", "--workers", "2", "--dir", "c"]);
    expect(up.redis).toBe(`unix://${folder.path}/c/control/redis.sock`);
    for (const name of ["reduce-1", "reduce-2"])
      expect(existsSync(join(folder.path, "c", name, "redis.sock"))).toBe(true);
    expect(statSync(join(folder.path, "c")).mode & 0o777).toBe(0o700);
    const again = await call<Failure>(["cluster", "up", "--workers", "1", "--dir", "c"], 2);
    expect(again.error.message).toMatch(/runs in c already.*gmc cluster down/);

    for (const name of ["first", "second"]) {
      const record = await call([...CONFIG, "--redis", "c", "--workers", "2", "--out", `runs/${name}`]);
      expect(record).toMatchObject({ status: "finished", workers: 2, weightsSha256: single.weightsSha256 });
    }
    const expectAtRest = async (): Promise<void> => {
      const status = await call<StatusDocument>(["cluster", "status", "--dir", "c"]);
      expect(status.workers.map(({ state }) => state)).toEqual(["idle", "idle"]);
      expect(status.coordinator).not.toBeNull();
      expect(status.finished).toBe(2);
    };
    await vi.waitFor(expectAtRest, WAIT); // a worker says that it is idle with a heartbeat after the run

    await call(["cluster", "down", "--dir", "c"]);
    expect(await leftOver(mark.TMPDIR)).toEqual([]);
    expect(ours(mark.TMPDIR)).toEqual([]);
    const none = await call<Failure>(["cluster", "down", "--dir", "c"], 2);
    expect(none.error.message).toMatch(/No cluster runs in c/);
  });

  test("the queue is there again after down and up in the same folder", async () => {
    await call(["cluster", "up", "--workers", "1", "--dir", "d"]);
    await call([...CONFIG, "--redis", "d", "--out", "runs/before"]);
    await call(["cluster", "down", "--dir", "d"]);
    await call(["cluster", "up", "--workers", "1", "--dir", "d"]);
    expect((await call<StatusDocument>(["cluster", "status", "--dir", "d"])).finished).toBe(1);
    await call(["cluster", "down", "--dir", "d"]);
  });

  test("everything ends with the process that keeps the cluster, also by kill -9", async () => {
    const { pid } = await call<{ pid: number }>(["cluster", "up", "--workers", "2", "--dir", "e"]);
    process.kill(pid, "SIGKILL");
    expect(await leftOver(mark.TMPDIR)).toEqual([]);
    await call(["cluster", "up", "--workers", "1", "--dir", "e"]);
    await call(["cluster", "down", "--dir", "e"]);
  });

  test("a public address without a password is refused, and nothing is left", async () => {
    const { error } = await call<Failure>(["cluster", "up", "--workers", "1", "--bind", "0.0.0.0", "--dir", "f"], 2, {
      GMC_REDIS_PASSWORD: "",
    });
    expect(error).toMatchObject({ code: "ERR_CONFIG", message: expect.stringMatching(/give a password/) });
    expect(await leftOver(mark.TMPDIR)).toEqual([]);
  });

  test("with --bind and a password a worker from elsewhere joins and trains", async () => {
    const env = { GMC_REDIS_PASSWORD: "se/cret" };
    const port = 20_000 + (process.pid % 10_000) * 2;
    const bind = ["--bind", "127.0.0.1", "--port", String(port)];
    const up = await call<{ redis: string }>(["cluster", "up", "--workers", "1", "--dir", "g", ...bind], 0, env);
    expect(up.redis).toBe(`redis://:se%2Fcret@127.0.0.1:${port}`);
    const worker = start(["worker", "--id", "guest"], folder.path, { ...mark, GMC_REDIS: up.redis });
    await worker.shows(/worker\.ready/);
    const record = await call([...CONFIG, "--redis", "g", "--workers", "2", "--out", "runs/guest"]);
    expect(record).toMatchObject({ workers: 2, weightsSha256: single.weightsSha256 });
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
    await call(["cluster", "down", "--dir", "g"]);
  });

  test("a bare Redis is enough: coordinator and workers are started on this machine, as an ACL user", async () => {
    const acl = ["gmc", "on", ">secret", "~gmc:*", "&*", "+@all", "-@dangerous", "+info"];
    const server = await startRedisServer({ config: { user: acl, appendonly: "yes" } });
    onTestFinished(() => server.close());
    const url = server.url.replace("://", "://gmc:secret@localhost");
    const record = await call([...CONFIG, "--redis", url, "--workers", "2", "--out", "runs/acl"]);
    expect(record).toMatchObject({ status: "finished", workers: 2, weightsSha256: single.weightsSha256 });
    expect(await leftOver(mark.TMPDIR)).toEqual([]);
  });

  test("health says by its exit code whether a worker of this host and a coordinator are alive", async () => {
    const up = await call<{ redis: string }>(["cluster", "up", "--workers", "1", "--dir", "h"]);
    for (const role of ["worker", "coordinator"]) {
      expect(await call(["cluster", "health", role], 0, { GMC_REDIS: up.redis })).toMatchObject({ role });
    }
    await call(["cluster", "down", "--dir", "h"]);
    await call(["cluster", "health", "worker"], 1, { GMC_REDIS: up.redis });
  });
});
