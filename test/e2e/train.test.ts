import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openNpy, readSafetensors } from "@gmc/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TrainDocument } from "./gmc.ts";
import { gmc, gmcJson, ROOT, start, workFolder } from "./gmc.ts";

// The commands of the README, word for word, on a smaller data set; one test after another in one folder.
const folder = workFolder();
const at = (...names: string[]) => join(folder.path, ...names);
const DEMO = join(ROOT, "examples/demo.yaml");
const train = (...more: string[]) => [
  ...["train", DEMO, "--data.path", "data/synth", "--training.epochs", "2", "--training.shards", "2", "--seed", "3"],
  ...more,
];
let first: TrainDocument;

beforeAll(async () => {
  const made = await gmc(
    ["data", "synth", "--out", "data/synth", "--train", "320", "--test", "100", "--seed", "1"],
    folder.path,
  );
  expect(made.stderr + made.stdout, "gmc data synth").toContain("data/synth");
  expect(made.code).toBe(0);
  first = await gmcJson<TrainDocument>(train("--out", "runs/a"), folder.path);
});
afterAll(() => folder.close());

test("training prints one document, which the run keeps", () => {
  expect(first).toMatchObject({ run: "runs/a", status: "finished", steps: 10, epochs: 2 });
  expect(first.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
  expect(first.finalLoss).toBeGreaterThan(0);
  expect(first.samplesPerSecond).toBeGreaterThan(0);
  expect(JSON.parse(readFileSync(at("runs/a/run.json"), "utf8"))).toEqual(first);
});

test("a run's folder holds config, environment, metrics and checkpoints", () => {
  for (const name of ["config.yaml", "environment.json", "metrics.jsonl", "checkpoints/last.json"]) {
    expect(existsSync(at("runs/a", name)), name).toBe(true);
  }
  const lines = readFileSync(at("runs/a/metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.filter(({ event }) => event === "epoch")).toHaveLength(2);
});

test("the same config and seed give the same weights, and another seed others", async () => {
  const second = await gmcJson<TrainDocument>(train("--out", "runs/b"), folder.path);
  expect(second.weightsSha256).toBe(first.weightsSha256);
  expect(second.finalLoss).toBe(first.finalLoss);
  const other = await gmcJson<TrainDocument>(train("--out", "runs/other", "--seed", "4"), folder.path);
  expect(other.weightsSha256).not.toBe(first.weightsSha256);
});

test("Ctrl-C leaves a checkpoint, and --resume ends with the weights of a run that never stopped", async () => {
  const six = (out: string) => [...train("--out", out), "--training.epochs", "6"];
  const running = start([...six("runs/c"), "--json"], folder.path);
  await running.shows("epoch 1/6");
  running.child.kill("SIGINT");
  const stopped = await running.ended;
  expect(stopped.code, stopped.stderr).toBe(130);
  expect(stopped.stderr).toContain("gmc train --resume --out runs/c");
  const document = JSON.parse(stopped.stdout) as TrainDocument;
  expect(document.status).toBe("stopped");
  expect(document.steps).toBeLessThan(30);

  const whole = await gmcJson<TrainDocument>(six("runs/six"), folder.path);
  const resumed = await gmcJson<TrainDocument>([...six("runs/c"), "--resume"], folder.path);
  expect(resumed).toMatchObject({ status: "finished", steps: 30, epochs: 6, finalLoss: whole.finalLoss });
  expect(resumed.weightsSha256).toBe(whole.weightsSha256);

  // Past its first number of epochs, from the config in its own folder.
  const longer = ["train", "--resume", "--out", "runs/b", "--training.epochs", "6"];
  const more = await gmcJson<TrainDocument>(longer, folder.path);
  expect(more).toMatchObject({ steps: 30, epochs: 6, weightsSha256: whole.weightsSha256 });
});

test("a resume with another experiment is refused, naming what differs", async () => {
  const ended = await gmc(
    [...train("--out", "runs/a", "--resume"), "--training.optimizer.learningRate", "0.1"],
    folder.path,
  );
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain("training.optimizer.learningRate");
});

test("an existing run is not written over", async () => {
  const before = readFileSync(at("runs/a/run.json"), "utf8");
  const ended = await gmc(train("--out", "runs/a"), folder.path);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain("--resume");
  expect(readFileSync(at("runs/a/run.json"), "utf8")).toBe(before);
});

test("evaluate gives fractions for the complete observation, every modality and the subsets asked for", async () => {
  const args = ["evaluate", "runs/a", "--evaluation.classifier.epochs", "5"];
  const { accuracy, samples } = await gmcJson<{ accuracy: Record<string, number>; samples: number }>(args, folder.path);
  expect(samples).toBe(100);
  expect(Object.keys(accuracy).sort()).toEqual(["complete", "image", "label", "sound", "trajectory"]);
  for (const value of Object.values(accuracy)) expect(value >= 0 && value <= 1).toBe(true);
  expect(readdirSync(at("runs/a/reports")).length).toBeGreaterThan(0);

  const asked = await gmcJson<{ accuracy: Record<string, number> }>([...args, "--subsets", "sound,image"], folder.path);
  expect(Object.keys(asked.accuracy).sort()).toEqual([
    ...["complete", "image", "image+sound", "label", "sound", "trajectory"],
  ]);
  expect(asked.accuracy.image).toBe(accuracy.image);
  const table = await gmc(args, folder.path);
  expect(table.stdout).toContain("| image");
});

test("encode writes a split's codes as npy and as safetensors, row for row the same", async () => {
  const args = ["encode", "runs/a", "--data.path", "data/synth", "--split", "test", "--modalities", "image,sound"];
  await gmcJson([...args, "--out", "codes.npy"], folder.path);
  const npy = await openNpy(at("codes.npy"));
  const rows = (await npy.readRows(0, 100)) as Float32Array;
  await npy.close();
  expect(npy.shape).toEqual([100, 64]);
  expect(npy.dtype).toBe("float32");
  const norms = Array.from({ length: 100 }, (_, i) => Math.hypot(...rows.subarray(64 * i, 64 * i + 64)));
  expect(norms.every((norm) => Number.isFinite(norm) && norm > 0)).toBe(true);

  await gmcJson([...args, "--out", "codes.safetensors"], folder.path);
  const { tensors } = await readSafetensors(at("codes.safetensors"));
  expect(tensors.get("codes")?.data).toEqual(rows);
  expect(tensors.get("labels")?.shape).toEqual([100]);
});
