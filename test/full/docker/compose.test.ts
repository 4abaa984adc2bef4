import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import type { Running, TrainDocument } from "../../e2e/gmc.ts";
import { ROOT, sleep, start } from "../../e2e/gmc.ts";
import type { Compose } from "./compose.ts";
import { dockerMissing, openCompose } from "./compose.ts";

const missing = dockerMissing();
const WORKERS = 3;
const SHARDS = 4;
/** Longer than a worker's time to live. */
const AWAY_MS = 8000;
const CONFIG = ["train", "examples/demo.yaml", "--training.shards", String(SHARDS), "--training.epochs", "20"];

describe.skipIf(missing)(`the compose cluster on a real engine${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let compose: Compose;
  let single: TrainDocument;
  let upMs = 0;

  beforeAll(async () => {
    compose = await openCompose();
    await compose.run(["build"], 600_000);
    const tool = ["run", "--rm", "--no-deps", "gmc"];
    await compose.run([
      ...tool,
      "data",
      "synth",
      "--out",
      "data/synth",
      "--train",
      "1024",
      "--test",
      "64",
      "--seed",
      "1",
    ]);
    const alone = await compose.run([...tool, ...CONFIG, "--out", "runs/single", "--json"], 600_000);
    single = JSON.parse(alone.stdout);
    const begun = performance.now();
    await compose.run(["up", "--detach", "--wait", "--scale", `worker=${WORKERS}`], 300_000);
    upMs = performance.now() - begun;
  }, 1_500_000);

  afterAll(async () => {
    await compose?.down();
  }, 120_000);

  /** A run of the cluster's, submitted from this machine. */
  function submit(name: string): Running {
    onTestFailed(async () => {
      console.error(`logs of the services: ${await compose.saveLogs(name)}`);
    });
    const wanted = ["--workers", String(WORKERS), "--out", `runs/${name}`, "--redis", compose.redis, "--json"];
    return start([...CONFIG, ...wanted], ROOT);
  }

  async function ends(run: Running): Promise<TrainDocument & { workers: number; generations: number }> {
    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout);
  }

  test("three workers end with the sha256 that one process in the same image gives", async () => {
    const begun = performance.now();
    const run = submit("three");
    await run.shows(/training on/);
    const startMs = performance.now() - begun;
    const record = await ends(run);
    expect(record).toMatchObject({ status: "finished", steps: single.steps, weightsSha256: single.weightsSha256 });
    expect(record.workers).toBe(WORKERS);
    console.error(
      `docker compose up to healthy: ${Math.round(upMs)} ms; submit to the first step: ${Math.round(startMs)} ms; ${Math.round(record.samplesPerSecond)} samples/s`,
    );
  });

  const FAULTS: [string, (worker: string) => Promise<void>][] = [
    [
      "is killed",
      async (worker) => {
        await compose.docker(["kill", worker]);
      },
    ],
    [
      "is paused for longer than its time to live",
      async (worker) => {
        await compose.docker(["pause", worker]);
        await sleep(AWAY_MS);
        await compose.docker(["unpause", worker]);
      },
    ],
    [
      "is cut off from the network for longer than its time to live",
      async (worker) => {
        const network = `${compose.project}_default`;
        await compose.docker(["network", "disconnect", network, worker]);
        await sleep(AWAY_MS);
        await compose.docker(["network", "connect", network, worker]);
      },
    ],
  ];

  test.each(FAULTS)("the same sha256 when one of them %s in the middle", async (title, fault) => {
    await compose.up(WORKERS);
    const run = submit(title.split(" ")[1] ?? "fault");
    await run.shows(/epoch 2\//);
    const [worker] = await compose.containers("worker");
    await fault(worker ?? "");
    const record = await ends(run);
    expect(record.generations, "the fault came before the end").toBeGreaterThan(1);
    expect(record).toMatchObject({ status: "finished", steps: single.steps, weightsSha256: single.weightsSha256 });
  });

  test("jobs and a sweep from this machine, as the README tells", async () => {
    const folder = dirname(compose.data); // its data and runs are the containers'
    await compose.up(WORKERS);
    const call = async <T>(...args: readonly string[]): Promise<T> => {
      const { code, stdout, stderr } = await start([...args, "--redis", compose.redis, "--json"], folder).ended;
      expect(code, `gmc ${args.join(" ")}\n${stderr}`).toBe(0);
      return JSON.parse(args[0] === "watch" ? (stdout.trim().split("\n").at(-1) ?? "") : stdout); // a line an event
    };
    const demo = join(ROOT, "examples/demo.yaml");
    const { job } = await call<{ job: string }>("submit", demo, "--evaluate", "--out", "runs/job");
    expect(await call("watch", job)).toMatchObject({ event: "completed", record: { status: "finished" } });
    const result = await call<TrainDocument & { evaluation: { accuracy: object } }>("results", job);
    expect(Object.keys(result.evaluation.accuracy)).toContain("complete");
    const alone = await compose.run(
      ["run", "--rm", "--no-deps", "gmc", "train", "examples/demo.yaml", "--out", "runs/job-alone", "--json"],
      600_000,
    );
    expect(result.weightsSha256).toBe(JSON.parse(alone.stdout).weightsSha256);

    const sweep = await call<{ cells: { seeds: number[] }[]; failed: unknown[] }>(
      "sweep",
      join(ROOT, "examples/demo-sweep.yaml"),
    );
    expect(sweep.failed).toEqual([]);
    expect(sweep.cells.map(({ seeds }) => seeds)).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(readFileSync(join(compose.runs, "demo-sweep/sweep.md"), "utf8")).toContain("learningRate 0.001 | 3 |");
  });

  test("the images run as an ordinary user and stop on SIGTERM in good order", async () => {
    const [worker = ""] = await compose.containers("worker");
    expect((await compose.docker(["exec", worker, "id", "-u"])).stdout.trim()).toBe("1000");
    const begun = performance.now();
    await compose.run(["stop", "worker", "coordinator"]);
    expect(performance.now() - begun).toBeLessThan(30_000);
    const ids = (await compose.run(["ps", "--all", "-q", "worker", "coordinator"])).stdout.trim().split("\n");
    const codes = await compose.docker(["inspect", "--format", "{{.State.ExitCode}}", ...ids]);
    expect(new Set(codes.stdout.trim().split("\n"))).toEqual(new Set(["0"]));
  });
});
