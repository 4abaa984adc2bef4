import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Running, TrainDocument } from "../../e2e/gmc.ts";
import { gmcJson, ROOT, start, workFolder } from "../../e2e/gmc.ts";
import { leftOver, markedProcesses, ours, processesHidden } from "./processes.ts";

const missing = redisServerMissing() ?? processesHidden();
const CONFIG = ["train", join(ROOT, "examples/demo.yaml"), "--training.shards", "4", "--training.epochs", "8"];

interface GroupDocument extends TrainDocument {
  readonly workers: number;
  readonly generations: number;
  readonly reduceMs: number;
  readonly gatherMs: number;
}

describe.skipIf(missing)(`gmc train --workers${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = workFolder();
  /** What a command leaves in the folder for temporary files is visible, and its processes carry that name. */
  let temporary: string;
  let count = 0;
  let single: TrainDocument;

  beforeAll(async () => {
    await gmcJson(
      ["data", "synth", "--out", "data/synth", "--train", "512", "--test", "20", "--seed", "1"],
      folder.path,
    );
    single = await gmcJson<TrainDocument>([...CONFIG, "--out", "runs/single"], folder.path);
  });
  beforeEach(() => {
    temporary = join(folder.path, `t${count++}`);
    mkdirSync(temporary);
  });
  afterEach(async () => {
    expect(await leftOver(temporary), "processes left behind").toEqual([]);
    expect(ours(temporary), "files left behind").toEqual([]);
  });
  afterAll(() => folder.close());

  const begin = (args: readonly string[]): Running => start([...args, "--json"], folder.path, { TMPDIR: temporary });

  async function ends<T = GroupDocument>(run: Running, wanted = 0): Promise<T> {
    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(wanted);
    return JSON.parse(stdout);
  }
  const whole = () => ({ steps: single.steps, weightsSha256: single.weightsSha256, finalLoss: single.finalLoss });

  test("two worker processes end with the weights of one process, and the document says what the group cost", async () => {
    const run = begin([...CONFIG, "--workers", "2", "--out", "runs/two"]);
    const record = await ends(run);
    expect(record).toMatchObject({ status: "finished", workers: 2, generations: 1, ...whole() });
    expect(record.reduceMs).toBeGreaterThan(0);
    expect(record.gatherMs).toBeGreaterThan(0);
    expect((await run.ended).stderr).toMatch(/training on 2 workers: .*shards 0, 1.*shards 2, 3/);
  });

  test("Ctrl-C saves a checkpoint, and a resume with another number of workers ends with the same weights", async () => {
    const run = begin([...CONFIG, "--workers", "2", "--out", "runs/stopped"]);
    await run.shows(/epoch 2\/8: /);
    run.child.kill("SIGINT");
    expect(await ends(run, 130)).toMatchObject({ status: "stopped" });
    expect((await run.ended).stderr).toMatch(/Go on with: gmc train --resume --out runs\/stopped/);
    const resumed = await ends(begin(["train", "--resume", "--out", "runs/stopped", "--workers", "3"]));
    expect(resumed).toMatchObject({ status: "finished", workers: 3, ...whole() });
  });

  test("after kill -9 of the command nothing is left, and one process goes on from the last checkpoint", async () => {
    const run = begin([...CONFIG, "--workers", "2", "--out", "runs/killed"]);
    await run.shows(/epoch 3\/8: /);
    run.child.kill("SIGKILL");
    await run.ended;
    expect(await leftOver(temporary)).toEqual([]);
    const resumed = await ends<TrainDocument>(begin(["train", "--resume", "--out", "runs/killed"]));
    expect(resumed).toMatchObject({ status: "finished", ...whole() });
  });

  test.each(["worker", "coordinator", "redis-server"])(
    "a %s that is killed in the middle is started again, and the weights are the same",
    async (victim) => {
      const run = begin([...CONFIG, "--workers", "2", "--out", `runs/without-${victim}`]);
      await run.shows(/epoch 2\/8: /);
      const [process_] = markedProcesses(temporary).filter(({ command }) =>
        victim === "redis-server" ? command.startsWith(victim) : command.includes(`gmc.js ${victim}`),
      );
      expect(process_, "a process to kill").toBeDefined();
      process.kill(process_!.pid, "SIGKILL");
      const record = await ends(run);
      expect(record).toMatchObject({ status: "finished", ...whole() });
      expect((await run.ended).stderr).toMatch(/it is started again/);
    },
  );

  test("more workers than shards are refused before anything starts, naming both", async () => {
    const run = begin([...CONFIG, "--workers", "5", "--out", "runs/five"]);
    const { error } = await ends<{ error: { code: string; message: string } }>(run, 2);
    expect(error.code).toBe("ERR_CONFIG");
    expect(error.message).toMatch(/5 workers.*4/);
  });

  test("data that no worker sees end the run with the reason", async () => {
    const run = begin([...CONFIG, "--data.path", "data/absent", "--workers", "2", "--out", "runs/absent"]);
    const { error } = await ends<{ error: { code: string; message: string } }>(run, 2);
    expect(error.message).toMatch(/data\/absent/);
  });

  test("a run that exists is refused without --resume", async () => {
    const run = begin([...CONFIG, "--workers", "2", "--out", "runs/single"]);
    const { error } = await ends<{ error: { code: string; message: string } }>(run, 2);
    expect(error.message).toMatch(/runs\/single already holds a run/);
  });
});
