import { join } from "node:path";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { gmcJson, ROOT, workFolder } from "../../e2e/gmc.ts";
import { WAIT } from "../../support/cluster/test-cluster.ts";
import { freePort } from "../../support/free-port.ts";
import { JobsCluster } from "./jobs-cluster.ts";

const missing = redisServerMissing();
const PASSWORD = "pass: wörd";
const basic = (password: string) => ({
  authorization: `Basic ${Buffer.from(`anyone:${password}`).toString("base64")}`,
});

interface BoardQueues {
  readonly queues: readonly { readonly name: string; readonly jobs: readonly { readonly id: string }[] }[];
}
interface LogLine {
  readonly time: string;
  readonly event: string;
  readonly run: string;
  readonly worker?: string;
  readonly rank?: number;
  readonly step?: number;
}

describe.skipIf(missing)(`operation of a cluster${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = workFolder();
  let cluster: JobsCluster;
  let coordinator: string;
  let worker: string;
  let job: string;
  const get = (url: string, init: RequestInit = {}) => fetch(url, { ...init, signal: AbortSignal.timeout(10_000) });

  beforeAll(async () => {
    const synth = ["data", "synth", "--out", "data/synth", "--train", "128", "--test", "20", "--seed", "1"];
    await gmcJson(synth, folder.path);
    const [first, second] = [await freePort(), await freePort()];
    coordinator = `http://127.0.0.1:${first}`;
    worker = `http://127.0.0.1:${second}`;
    cluster = await JobsCluster.start(folder.path, 0);
    await cluster.kill(cluster.coordinator);
    await cluster.startCoordinator(["--http", String(first)], { GMC_BOARD_PASSWORD: PASSWORD });
    await cluster.addWorker(["--http", `127.0.0.1:${second}`]);
    const submit = ["submit", join(ROOT, "examples/demo.yaml"), "--data.path", "data/synth", "--out", "runs/long"];
    const minutes = ["--training.epochs", "4000"]; // it is cancelled below
    job = (await gmcJson<{ job: string }>([...submit, ...minutes, ...cluster.redis], folder.path)).job;
    await vi.waitFor(async () => {
      expect(await (await get(`${worker}/metrics`)).text()).toMatch(/gmc_worker_run_step\{[^}]*\} [1-9]/);
    }, WAIT);
  });
  afterAll(async () => {
    await cluster?.close();
    folder.close();
  });

  test("coordinator and worker are healthy", async () => {
    const [first, second] = [await get(`${coordinator}/healthz`), await get(`${worker}/healthz`)];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(await first.json()).toMatchObject({ status: "ok", redis: "ok", leader: expect.any(String) });
    expect(await second.json()).toMatchObject({ status: "ok", worker: "w1", state: "busy" });
  });

  test("Prometheus learns of workers, runs and speed", async () => {
    const answer = await get(`${coordinator}/metrics`);
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const lines = [
      /^gmc_cluster_has_leader 1$/m,
      /^gmc_workers\{state="busy"\} 1$/m,
      /^gmc_runs\{state="training"\} 1$/m,
      /^gmc_samples_per_second [1-9]/m,
      new RegExp(`^gmc_run_step\\{run="${job}"\\} [1-9]`, "m"),
      /^gmc_coordinator_process_resident_memory_bytes \d/m,
    ];
    await vi.waitFor(async () => {
      const text = await (await get(`${coordinator}/metrics`)).text();
      for (const line of lines) expect(text).toMatch(line); // some are known a heartbeat of the worker's later
    }, WAIT);
    expect(await (await get(`${worker}/metrics`)).text()).toMatch(/^gmc_worker_healthy\{worker="w1"\} 1$/m);
  });

  test("the board shows the queue to those who know the password, and changes nothing", async () => {
    const board = `${coordinator}/board`;
    for (const headers of [{}, basic("wrong"), basic(""), { authorization: "Basic !!!" }]) {
      const refused = await get(`${board}/api/queues`, { headers });
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toContain("Basic");
    }
    const headers = basic(PASSWORD);
    const page = await (await get(board, { headers })).text();
    expect(page).toContain("<title>GMC</title>");
    expect(page).not.toMatch(/<%|fonts\.googleapis/);
    const [, script = ""] = /src="(static\/js\/main[^"]+)"/.exec(page) ?? [];
    const code = await get(`${board}/${script}`, { headers });
    expect([code.status, code.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
    const queues = (await (
      await get(`${board}/api/queues?activeQueue=train&status=active&page=1`, { headers })
    ).json()) as BoardQueues;
    expect(queues.queues.map(({ name }) => name)).toEqual(["train", "sweep"]);
    expect(queues.queues[0]?.jobs.map(({ id }) => id)).toContain(job);
    expect((await get(`${board}/api/queues/train/${job}/retry`, { method: "PUT", headers })).status).toBe(405);
    expect((await get(`${board}/static/..%2f..%2fpackage.json`, { headers })).status).toBe(404);
  });

  test("a path that is none of them is not found", async () => {
    expect((await get(`${coordinator}/`)).status).toBe(404);
    expect((await get(`${worker}/board`)).status).toBe(404);
  });

  test("a run's log has lines of coordinator and worker with run, worker, rank and step", async () => {
    const read = async () => (await gmcJson<{ lines: LogLine[] }>(["logs", job, ...cluster.redis], folder.path)).lines;
    const withLine = (wanted: string) =>
      vi.waitFor(async () => {
        const lines = await read();
        const line = lines.find(({ event }) => event === wanted);
        if (!line) throw new Error(`no ${wanted} in ${JSON.stringify(lines)}`);
        return { lines, line };
      }, WAIT);
    const { lines, line } = await withLine("worker.generation");
    expect(lines.every(({ run, time }) => run === job && !Number.isNaN(Date.parse(time)))).toBe(true);
    await withLine("run.started");
    expect(line).toMatchObject({ worker: "w1", rank: 0 });
    await gmcJson(["cancel", job, ...cluster.redis], folder.path);
    expect((await withLine("worker.generation-end")).line.step).toBeGreaterThan(0);
    expect(await cluster.strayKeys()).toEqual([]);
  });

  test("with a Redis that is silent both say that they are not well, and are well again afterwards", async () => {
    const statuses = async () => [
      (await get(`${coordinator}/healthz`)).status,
      (await get(`${worker}/healthz`)).status,
    ];
    const become = (wanted: number) => vi.waitFor(async () => expect(await statuses()).toEqual([wanted, wanted]), WAIT);
    cluster.server.pause();
    try {
      await become(503);
    } finally {
      cluster.server.resume();
    }
    await become(200);
  });

  test("SIGTERM ends both in good order, also while Redis is silent", async () => {
    cluster.server.pause();
    try {
      const both = [...cluster.workers.values(), ...(cluster.coordinator ? [cluster.coordinator] : [])];
      for (const { child } of both) child.kill("SIGTERM");
      const ended = await Promise.all(both.map((process) => process.ended));
      expect(ended.map(({ code, signal }) => [code, signal])).toEqual([
        [0, null],
        [0, null],
      ]);
    } finally {
      cluster.server.resume();
    }
  });
});
