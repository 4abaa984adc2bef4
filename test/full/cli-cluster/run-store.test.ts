import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { redisServerMissing, startRedisServer } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Running, TrainDocument } from "../../e2e/gmc.ts";
import { gmcJson, ROOT, start, workFolder } from "../../e2e/gmc.ts";
import { freePort } from "../../support/free-port.ts";

const missing = redisServerMissing();
const TOKEN = "0123456789abcdef-test";

describe.skipIf(missing)(`machines that share no folder${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = workFolder();
  let single: TrainDocument;
  const machine = (name: string): string => {
    const path = join(folder.path, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const config = (data: string) => [
    ...["train", join(ROOT, "examples/demo.yaml"), "--training.shards", "4", "--training.epochs", "4"],
    ...["--data.path", data],
  ];

  beforeAll(async () => {
    const here = machine("alone");
    await gmcJson(["data", "synth", "--out", "synth", "--train", "256", "--test", "20", "--seed", "1"], here);
    single = await gmcJson<TrainDocument>([...config("synth"), "--out", "runs/single"], here);
  });
  afterAll(() => folder.close());

  function background(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Running {
    const running = start(args, cwd, env);
    onTestFinished(async () => {
      running.child.kill("SIGKILL");
      await running.ended;
    });
    return running;
  }

  test("data by URL and runs in the coordinator's store train to the same bits, and the store holds the run", async () => {
    const server = await startRedisServer({ config: { appendonly: "yes" } });
    onTestFinished(() => server.close());
    const [data, http] = [await freePort(), await freePort()];
    const env = { GMC_REDIS: server.url, GMC_RUN_STORE_TOKEN: TOKEN };
    background(["data", "serve", "synth", "--port", String(data)], machine("alone"), {});
    const coordinator = background(["coordinator", "--runs", "kept", "--http", String(http)], machine("alpha"), env);
    await coordinator.shows(/coordinator\.ready/);
    for (const name of ["beta", "gamma"]) {
      const store = `http://127.0.0.1:${http}/runs/`;
      const cache = { GMC_CACHE: join(folder.path, name, "cache"), GMC_RUN_STORE: store };
      await background(["worker", "--threads", "1"], machine(name), { ...env, ...cache }).shows(/worker\.ready/);
    }
    const wanted = ["--workers", "2", "--redis", server.url, "--out", "runs/far", "--json"];
    const run = await start([...config(`http://127.0.0.1:${data}/`), ...wanted], machine("delta"), {}).ended;
    expect(run.code, run.stderr).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ workers: 2, weightsSha256: single.weightsSha256 });
    const kept = join(folder.path, "alpha", "kept", "runs", "far");
    expect(JSON.parse(readFileSync(join(kept, "run.json"), "utf8")).weightsSha256).toBe(single.weightsSha256);
    expect(existsSync(join(kept, "checkpoints", "last.json"))).toBe(true);
  });

  test.each([
    [["coordinator", "--runs", "kept"], "without a token the store is not served"],
    [["worker", "--store", "http://127.0.0.1:1/runs/"], "without a token a worker does not use one"],
  ])("%j: %s", async (args) => {
    const { code, stderr } = await start(args, machine("alpha"), { GMC_REDIS: "unix:///no/such.sock" }).ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/GMC_RUN_STORE_TOKEN/);
  });
});
