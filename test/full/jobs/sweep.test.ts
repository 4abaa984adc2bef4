import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SweepResult } from "@gmc/jobs";
import { listJobs } from "@gmc/jobs";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gmc, gmcJson, ROOT, sleep, start, workFolder } from "../../e2e/gmc.ts";
import { JobsCluster } from "./jobs-cluster.ts";

const missing = redisServerMissing();
const SWEEP = ["sweep", join(ROOT, "examples/demo-sweep.yaml"), "--data.path", "data/synth"];

describe.skipIf(missing)(`a sweep on a cluster${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = workFolder();
  let cluster: JobsCluster;
  let alone: SweepResult;

  beforeAll(async () => {
    const synth = ["data", "synth", "--out", "data/synth", "--train", "192", "--test", "40", "--seed", "1"];
    await gmcJson(synth, folder.path);
    alone = await gmcJson<SweepResult>([...SWEEP, "--out", "runs/alone"], folder.path);
    cluster = await JobsCluster.start(folder.path, 2);
  });
  afterAll(async () => {
    await cluster?.close();
    folder.close();
  });

  test("two values by three seeds on two workers: the table of one process, although a worker and the coordinator were killed", async () => {
    const sweep = start([...SWEEP, ...cluster.redis, "--out", "runs/cluster", "--json"], folder.path);
    await sweep.shows(/is trained by w1[\s\S]*seed-\d ended/);
    await cluster.killWorker("w1");
    await cluster.kill(cluster.coordinator);
    await sleep(500);
    await cluster.startCoordinator();
    await cluster.addWorker();
    const ended = await sweep.ended;
    expect(ended.code, ended.stderr).toBe(0);
    const result: SweepResult = JSON.parse(ended.stdout);
    expect(withoutTimes(result)).toEqual(withoutTimes(alone));
    expect(result.cells.map(({ seeds }) => seeds)).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    const markdown = readFileSync(join(folder.path, "runs/cluster/sweep.md"), "utf8");
    expect(markdown).toMatch(/learningRate 0\.0003 \| 3 \| [\d.]+ ± [\d.]+ \|/);
    expect(await cluster.strayKeys()).toEqual([]);
  });

  test("submitted again, finished runs are kept; its job can be listed, watched and asked for results", async () => {
    const { job } = await gmcJson<{ job: string }>(
      [...SWEEP, ...cluster.redis, "--out", "runs/cluster", "--detach"],
      folder.path,
    );
    const watched = await gmc(["watch", job, ...cluster.redis, "--json"], folder.path);
    expect(watched.code, watched.stderr).toBe(0);
    const lines = watched.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ event }) => event === "run-ended")).toHaveLength(6);
    expect(lines.at(-1).event).toBe("completed");
    const result = await gmcJson<SweepResult>(["results", job, ...cluster.redis, "--out", "tables"], folder.path);
    expect(withoutTimes(result)).toEqual(withoutTimes(alone));
    expect(readFileSync(join(folder.path, "tables/sweep.csv"), "utf8").split("\n")).toHaveLength(4);
    const { jobs } = await gmcJson<{ jobs: readonly { job: string; kind: string; state: string; runs: object }[] }>(
      ["jobs", ...cluster.redis],
      folder.path,
    );
    expect(jobs.find((one) => one.job === job)).toMatchObject({
      kind: "sweep",
      state: "finished",
      runs: { total: 6, ended: 6, failed: 0 },
    });
    const before = JSON.parse(readFileSync(join(folder.path, "runs/cluster/sweep.json"), "utf8"));
    expect(result.cells.map(({ metrics }) => metrics.wallSeconds)).toEqual(
      before.cells.map(({ metrics }: SweepResult["cells"][number]) => metrics.wallSeconds),
    );
  });

  test("a run that fails is reported with its error, and the others are not lost", async () => {
    const yaml = [
      `base: ${join(ROOT, "examples/demo.yaml")}`,
      "config: { data: { path: data/synth }, training: { epochs: 1 } }",
      "grid: { training.optimizer.learningRate: [1.0e+30, 1.0e-3] }",
      "evaluate: []",
    ];
    writeFileSync(join(folder.path, "wild.yaml"), yaml.join("\n"));
    const ended = await gmc(["sweep", "wild.yaml", ...cluster.redis, "--json"], folder.path);
    expect(ended.code, ended.stderr).toBe(1);
    const { cells, failed }: SweepResult = JSON.parse(ended.stdout);
    expect(failed).toMatchObject([{ run: "learningRate-1e+30_seed-0", error: { code: "ERR_NON_FINITE" } }]);
    expect(cells.map(({ seeds }) => seeds)).toEqual([[], [0]]);
    expect(await cluster.strayKeys()).toEqual([]);
  });

  test("a run that failed for a reason of its place is tried once more", async () => {
    const later = join(folder.path, "data/later");
    const args = [...SWEEP.slice(0, 2), "--data.path", "data/later", "--training.epochs", "1", "--out", "runs/later"];
    const sweep = start([...args, ...cluster.redis, "--json"], folder.path);
    await sweep.shows(/Job demo-sweep-/);
    const [job] = (await listJobs(cluster.queue)).filter(({ kind, state }) => kind === "sweep" && state !== "finished");
    for (;;) {
      const children = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => cluster.queue.train.getJob(`${job?.job}-${i}`)));
      if (children.some((child) => child?.attemptsMade === 1)) break; // every worker refused it: there is no such data
      await sleep(50);
    }
    cpSync(join(folder.path, "data/synth"), later, { recursive: true });
    const ended = await sweep.ended;
    expect(ended.code, ended.stderr).toBe(0);
    const { cells, failed }: SweepResult = JSON.parse(ended.stdout);
    expect(failed).toEqual([]);
    expect(cells.map(({ seeds }) => seeds)).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  test("a cancelled sweep ends with what is finished", async () => {
    const long = [...SWEEP, ...cluster.redis, "--training.epochs", "500", "--out", "runs/long", "--detach"];
    const { job } = await gmcJson<{ job: string }>(long, folder.path);
    const watched = start(["watch", job, ...cluster.redis, "--json"], folder.path);
    await watched.shows(/is trained by/);
    await gmcJson(["cancel", job, ...cluster.redis], folder.path);
    const ended = await watched.ended;
    expect(ended.code, ended.stderr).toBe(1);
    const last = JSON.parse(ended.stdout.trim().split("\n").at(-1) ?? "");
    expect(last.event).toBe("completed");
    expect(last.result.failed).toHaveLength(6);
    expect(last.result.failed.every(({ error }: SweepResult["failed"][number]) => error.code === "ERR_CANCELLED")).toBe(
      true,
    );
    expect(await cluster.strayKeys()).toEqual([]);
  });

  test("a mistake in the file names its line, and nothing is submitted", async () => {
    const submitted = async (): Promise<readonly string[]> =>
      (await listJobs(cluster.queue, { all: true })).map(({ job }) => job);
    const before = await submitted();
    writeFileSync(
      join(folder.path, "bad.yaml"),
      `base: ${join(ROOT, "examples/demo.yaml")}\ngrid:\n  training.lastBatch: [drop, held]\n`,
    );
    const ended = await gmc(["sweep", "bad.yaml", ...cluster.redis], folder.path);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(
      /^gmc: training\.lastBatch: expected one of drop \| keep, received "held" \(line 3 of bad\.yaml, value held\)$/m,
    );
    expect(await submitted()).toEqual(before);
  });
});

/** Everything but what a clock measured. */
function withoutTimes({ cells, ...rest }: SweepResult): unknown {
  const timeless = cells.map(({ metrics: { wallSeconds: _, ...metrics }, ...cell }) => ({ ...cell, metrics }));
  return { ...rest, cells: timeless };
}
