import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import type { TrainDocument } from "../../e2e/gmc.ts";
import { ROOT, start } from "../../e2e/gmc.ts";
import type { Compose } from "./compose.ts";
import { dockerMissing, openCompose } from "./compose.ts";

const missing = dockerMissing();
const WORKERS = 2;
const CONFIG = ["train", "examples/demo.yaml", "--training.shards", "2", "--training.epochs", "3"];
/** What the image means by itself where a config names no engine. */
const ENGINE = ["--engine.kind", "tensorflow", "--engine.device", "auto", "--engine.threads", "1"];

/** The image for cards without CUDA, and workers that ask for no card: everything that can be checked without one. */
describe.skipIf(missing)(`the image of GPU workers${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "gmc-compose-gpu-"));
  let compose: Compose;

  beforeAll(async () => {
    const noCard = join(folder, "no-card.yml");
    writeFileSync(noCard, "services:\n  worker:\n    deploy: !reset null\n");
    compose = await openCompose({
      files: [join(ROOT, "infra/docker-compose.gpu.yml"), noCard],
      env: { GMC_TENSORFLOW_BUILD: "cpu", GMC_GPU_IMAGE: "gmc:tensorflow-test" },
    });
    await compose.run(["build"], 900_000);
  }, 1_000_000);

  afterAll(async () => {
    await compose?.down();
    rmSync(folder, { recursive: true });
  }, 120_000);

  const tool = (...args: string[]) => compose.run(["run", "--rm", "--no-deps", "gmc", ...args], 600_000);

  test("its binding loads and computes on the CPU, and is what a config without an engine means", async () => {
    const { stdout } = await tool("doctor", "--engine.threads", "1", "--json");
    const findings: { name: string; ok: boolean; found: string }[] = JSON.parse(stdout).findings;
    const found = (name: string) => findings.find((finding) => finding.name === name);
    expect(found("tfjs-node")?.found).toMatch(/^TensorFlow 2\.16\.2 computes on the CPU, in \/opt\/tensorflow/);
    expect(found("config")?.found).toBe("flags: engine tensorflow on auto");
    expect(found("training")).toMatchObject({ ok: true, found: expect.stringMatching(/with tensorflow on cpu/) });
  });

  test("a queued job on two of its workers ends with the bits of one process", async () => {
    onTestFailed(async () => {
      console.error(`logs of the services: ${await compose.saveLogs("tensorflow")}`);
    });
    await tool("data", "synth", "--out", "data/synth", "--train", "256", "--test", "32", "--seed", "1");
    const alone: TrainDocument = JSON.parse(
      (await tool(...CONFIG, "--engine.threads", "1", "--out", "runs/alone", "--json")).stdout,
    );
    await compose.run(["up", "--detach", "--wait", "--scale", `worker=${WORKERS}`], 300_000);
    const wanted = ["--workers", String(WORKERS), "--out", "runs/two", "--redis", compose.redis, "--json"];
    const { code, stdout, stderr } = await start([...CONFIG, ...ENGINE, ...wanted], ROOT).ended;
    expect(code, stderr).toBe(0);
    const record: TrainDocument & { workers: number } = JSON.parse(stdout);
    expect(record).toMatchObject({ status: "finished", workers: WORKERS, steps: alone.steps });
    expect(record.weightsSha256).toBe(alone.weightsSha256);
  });
});
