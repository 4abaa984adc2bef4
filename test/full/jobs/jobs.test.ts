import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseRunConfig } from "@gmc/experiment";
import type { JobSummary, TrainJobResult } from "@gmc/jobs";
import { cancelJob, jobResult, readCluster, readJob, retryJob, submitTrain } from "@gmc/jobs";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { TrainDocument } from "../../e2e/gmc.ts";
import { gmc, gmcJson, ROOT, workFolder } from "../../e2e/gmc.ts";
import { WAIT } from "../../support/cluster/test-cluster.ts";
import { JobsCluster } from "./jobs-cluster.ts";

const missing = redisServerMissing();
const DEMO = join(ROOT, "examples/demo.yaml");
const LONG = ["--data.path", "data/synth", "--training.epochs", "60"];

describe.skipIf(missing)(`jobs of a cluster${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = workFolder();
  let cluster: JobsCluster;
  let alone: readonly TrainDocument[];

  const call = <T>(...args: readonly string[]): Promise<T> => gmcJson<T>([...args, ...cluster.redis], folder.path);
  const submit = async (...more: readonly string[]): Promise<string> =>
    (await call<{ job: string }>("submit", DEMO, ...LONG, ...more)).job;
  /** The same without a command's start, where the command is not what is tested. */
  const put = (name: string, seed: number, after?: string, epochs = 60): Promise<string> => {
    const overrides = [
      ["data.path", "data/synth"],
      ["training.epochs", epochs],
      ["seed", seed],
    ] as const;
    const config = parseRunConfig(readFileSync(DEMO, "utf8"), overrides);
    return submitTrain(cluster.queue, { config, out: `runs/${name}`, ...(after !== undefined && { after }) });
  };
  const status = (job: string) => readJob(cluster.queue, job);
  const results = async (job: string): Promise<TrainJobResult> => {
    const ended = await jobResult(cluster.queue, job);
    if (ended.kind === "run") return ended.record;
    throw new Error(`${job} is no run`);
  };
  const until = (job: string, wanted: (status: JobSummary) => boolean): Promise<JobSummary> =>
    vi.waitFor(async () => {
      const found = await status(job);
      if (!wanted(found)) throw new Error(`${job} hangs: ${JSON.stringify(found)}`);
      return found;
    }, WAIT);
  const begun = ({ state, progress }: JobSummary) => state === "training" && (progress?.step ?? 0) > 0;

  beforeAll(async () => {
    const synth = ["data", "synth", "--out", "data/synth", "--train", "192", "--test", "40", "--seed", "1"];
    await gmcJson(synth, folder.path);
    const train = (seed: string) =>
      gmcJson<TrainDocument>(["train", DEMO, ...LONG, "--seed", seed, "--out", `runs/alone-${seed}`], folder.path);
    alone = [await train("0"), await train("1")];
    cluster = await JobsCluster.start(folder.path, 2);
  });
  afterAll(async () => {
    await cluster?.close();
    folder.close();
  });

  test("two jobs train side by side and end with the bits of each alone, evaluated where that was asked for", async () => {
    const jobs = [
      await submit("--seed", "0", "--out", "runs/a", "--evaluate"),
      await submit("--seed", "1", "--out", "runs/b"),
    ];
    const [first, second] = await Promise.all(jobs.map((job) => until(job, begun)));
    expect(first?.members.map(({ worker }) => worker)).not.toEqual(second?.members.map(({ worker }) => worker));
    const watched = await Promise.all(jobs.map((job) => gmc(["watch", job, "--json", ...cluster.redis], folder.path)));
    for (const { stdout } of watched) {
      const lines = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(lines.at(-1)).toMatchObject({ event: "completed", record: { status: "finished" } });
      expect(lines.some(({ event }) => event === "progress")).toBe(true);
    }
    const [a, b] = await Promise.all(jobs.map(results));
    expect([a?.weightsSha256, b?.weightsSha256]).toEqual(alone.map(({ weightsSha256 }) => weightsSha256));
    expect(Object.keys(a?.evaluation?.accuracy ?? {})).toContain("complete");
    expect(b?.evaluation).toBe(undefined);
    expect(await cluster.strayKeys()).toEqual([]);
  });

  test("a cancel leaves a checkpoint, and no key, no half-written file, no busy worker; a retry ends with the same bits", async () => {
    const job = await put("cancelled", 0);
    await until(job, begun);
    expect(await call("cancel", job)).toEqual({ jobs: [{ job, outcome: "requested" }] });
    await until(job, ({ state }) => state === "stopped");
    expect(await cluster.strayKeys()).toEqual([]);
    expect(allFiles(join(folder.path, "runs/cancelled")).filter((name) => name.includes("tmp"))).toEqual([]);
    expect(JSON.parse(readFileSync(join(folder.path, "runs/cancelled/run.json"), "utf8")).status).toBe("stopped");
    await vi.waitFor(async () => {
      const { workers } = await readCluster(cluster.queue);
      expect(workers.map(({ state }) => state)).toEqual(["idle", "idle"]);
    }, WAIT);
    await call("retry", job);
    await until(job, ({ state }) => state === "finished");
    expect((await call<TrainJobResult>("results", job)).weightsSha256).toBe(alone[0]?.weightsSha256);
  });

  test("a paused run frees its worker, survives the coordinator, and goes on to the same bits", async () => {
    const job = await put("paused", 1);
    await until(job, begun);
    await call("pause", job);
    await until(job, ({ state }) => state === "paused");
    expect(await cluster.strayKeys()).toEqual([]);
    await cluster.kill(cluster.coordinator);
    await cluster.startCoordinator();
    expect((await status(job)).state).toBe("paused");
    await call("resume", job);
    const { members } = await until(job, begun);
    expect(members).toHaveLength(1);
    await until(job, ({ state }) => state === "finished");
    expect((await results(job)).weightsSha256).toBe(alone[1]?.weightsSha256);
  });

  test("a job outlives a restart of Redis, with its append-only file, and ends with the same bits", async () => {
    const job = await put("restarted", 1);
    await until(job, begun);
    await cluster.server.restart();
    await until(job, ({ state }) => state === "finished");
    expect((await results(job)).weightsSha256).toBe(alone[1]?.weightsSha256);
    expect(await cluster.strayKeys()).toEqual([]);
  });

  test("a job comes after another one, or fails with it", async () => {
    const first = await put("first", 0);
    const second = await put("second", 0, first, 1);
    const third = await put("third", 0, second, 1);
    await until(second, ({ reason }) => reason === `comes after ${first}`);
    await cancelJob(cluster.queue, first);
    const { error } = await until(second, ({ state }) => state === "failed");
    expect(error).toMatchObject({ code: "ERR_CANCELLED", message: expect.stringContaining("which was cancelled") });
    await until(third, ({ state }) => state === "failed");
    await retryJob(cluster.queue, first);
    await retryJob(cluster.queue, second);
    await until(second, ({ state }) => state === "finished");
    expect((await status(first)).state).toBe("finished");
  });

  test("what cannot be is refused at once, with one line", async () => {
    const refused = async (...args: readonly string[]) => {
      const { code, stderr } = await gmc([...args, ...cluster.redis], folder.path);
      return [code, stderr.trim()];
    };
    expect(await refused("submit", DEMO, "--training.epochs", "many")).toEqual([
      2,
      expect.stringContaining("training.epochs"),
    ]);
    expect(await refused("submit", DEMO, "--workers", "1..4")).toEqual([
      2,
      expect.stringContaining("training.shards 1"),
    ]);
    expect(await refused("submit", DEMO, "--after", "nobody")).toEqual([
      2,
      "gmc: There is no job nobody to come after.",
    ]);
    expect(await refused("resume", "nobody")).toEqual([2, "gmc: There is no job nobody in the queue."]);
  });
});

const allFiles = (folder: string): string[] => readdirSync(folder, { recursive: true }).map(String);
