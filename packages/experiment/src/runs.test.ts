import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckpointError, DataError, UsageError } from "@gmc/core";
import { openDatasetWriter } from "@gmc/data";
import { decodeNpy } from "@gmc/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  encodeRun,
  estimateRunMemory,
  evaluateFolder,
  loadRun,
  modelOfConfig,
  openTraining,
  parseRunConfig,
  trainRun,
} from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "gmc-runs-"));
const data = join(root, "data");
const run = join(root, "run");
const config = (...overrides: [string, unknown][]) =>
  parseRunConfig(
    {
      data: { path: data, threads: 0 },
      model: {
        commonDim: 8,
        latentDim: 4,
        head: { widths: [8] },
        modalities: { a: { encoder: { kind: "mlp", widths: [8] } }, b: { encoder: { kind: "mlp", widths: [8] } } },
      },
      engine: { threads: 1 },
      training: { batchSize: 8, epochs: 2 },
      evaluation: { rows: 8, classifier: { widths: [8], epochs: 1, batchSize: 8 } },
    },
    overrides,
  );

async function writeData(out: string, names: readonly string[], labelled: boolean): Promise<void> {
  const modalities = names.map((name) => ({ name, kind: "vector", shape: [3], dtype: "float32" }) as const);
  const writer = await openDatasetWriter({
    out,
    name: "tiny",
    source: "a test",
    modalities,
    ...(labelled && { classes: ["x", "y"] }),
  });
  for (const [split, samples] of [
    ["train", 20],
    ["test", 11],
  ] as const) {
    const values = Float32Array.from({ length: samples * 3 }, (_, i) => Math.sin(i + samples));
    const rows = Object.fromEntries(names.map((name) => [name, values]));
    const labels = Int32Array.from({ length: samples }, (_, i) => i % 2);
    await writer.split(split).append(rows, ...(labelled ? [labels] : []));
  }
  await writer.finish();
}

beforeAll(async () => {
  await writeData(data, ["a", "b"], true);
  await trainRun({ config: config(), out: run });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("a start that fails leaves no folder", async () => {
  const out = join(root, "failed");
  await expect(trainRun({ config: config(["data.path", join(root, "nowhere")]), out })).rejects.toThrow(DataError);
  expect(existsSync(out)).toBe(false);
});

test("data whose bytes are not those of its manifest is refused where it is verified, naming the file", async () => {
  const damaged = join(root, "damaged");
  cpSync(data, damaged, { recursive: true });
  const file = join(damaged, "train", "b.npy");
  writeFileSync(file, readFileSync(file).fill(1, 150));
  const open = (verify: boolean) => openTraining(config(["data.path", damaged]), undefined, { verify });
  await (await open(false)).close();
  await expect(open(true)).rejects.toThrow(/train\/b\.npy has the sha256 \w+, the manifest says/);
});

test("a run that diverges stops with the step and the shard, and keeps its folder", async () => {
  const out = join(root, "diverged");
  const wild = config(["training.optimizer.learningRate", 1e30], ["training.epochs", 4]);
  await expect(trainRun({ config: wild, out })).rejects.toMatchObject({
    code: "ERR_NON_FINITE",
    message: expect.stringMatching(/step \d+.*shard 0/is),
  });
  expect(existsSync(join(out, "config.yaml"))).toBe(true);
});

test("an abort before training writes nothing", async () => {
  const out = join(root, "aborted");
  await expect(trainRun({ config: config(), out, signal: AbortSignal.abort() })).rejects.toThrow("nothing was written");
  expect(existsSync(out)).toBe(false);
});

test("resuming a finished run changes nothing", async () => {
  const { record } = await loadRun(run);
  expect(await trainRun({ config: config(), out: run, resume: true })).toEqual(record);
});

test("a run without a checkpoint resumes at its first step, and cannot be used", async () => {
  const out = join(root, "early");
  await trainRun({ config: config(), out });
  rmSync(join(out, "checkpoints"), { recursive: true });
  await expect(encodeRun({ run: out })).rejects.toThrow(CheckpointError);
  rmSync(join(out, "environment.json")); // as after a kill in the very first moments
  const again = await trainRun({ config: config(), out, resume: true });
  expect(again.weightsSha256).toBe((await loadRun(run)).record?.weightsSha256);
  expect((await encodeRun({ run: out })).samples).toBe(11);
});

test("only data, engine and evaluation can be changed after training", async () => {
  await expect(loadRun(run, [["model.latentDim", 8]])).rejects.toThrow(UsageError);
  const { config: changed } = await loadRun(run, [["evaluation.rows", 16]]);
  expect(changed.evaluation.rows).toBe(16);
});

test("codes in memory and in a file are the same, and do not depend on what else the data has", async () => {
  const other = join(root, "other");
  await writeData(other, ["extra", "a"], false); // b is missing, and not needed
  const inMemory = await encodeRun({ run, modalities: ["a"] });
  expect([inMemory.samples, inMemory.dim, inMemory.codes?.length]).toEqual([11, 4, 44]);
  const out = join(root, "codes.npy");
  await encodeRun({ run, modalities: ["a"], out, overrides: [["data.path", other]] });
  expect(decodeNpy(readFileSync(out)).data).toEqual(inMemory.codes);
});

test.each([
  [{ modalities: ["c"] }, "the model knows a, b"],
  [{ modalities: [] }, "received none"],
  [{ out: "codes.txt" }, ".npy or .safetensors"],
  [{ split: "dev" }, 'no split "dev"'],
])("an encoding that cannot be is refused: %j", async (options, message) => {
  const before = readdirSync(root);
  await expect(encodeRun({ run, ...options })).rejects.toThrow(message);
  expect(readdirSync(root)).toEqual(before);
});

test("evaluation writes its reports into the run", async () => {
  const { result, report } = await evaluateFolder({ run });
  expect(Object.keys(result.accuracy ?? {})).toEqual(["complete", "a", "b"]);
  expect(readFileSync(report, "utf8")).toContain("| complete |");
  expect(JSON.parse(readFileSync(report.replace(".md", ".json"), "utf8"))).toEqual(result);
});

test("the memory estimate grows with the rows of a shard and with the batch", async () => {
  const bytes = async (...overrides: [string, unknown][]) =>
    estimateRunMemory(config(...overrides), await modelOfConfig(config())).bytes;
  const [small, wide, sharded] = [
    await bytes(["training.batchSize", 64]),
    await bytes(["training.batchSize", 4096]),
    await bytes(["training.batchSize", 4096], ["training.shards", 64]),
  ];
  expect(wide).toBeGreaterThan(small);
  expect(sharded).toBeGreaterThan(small);
  expect(sharded).toBeLessThan(wide);
});
