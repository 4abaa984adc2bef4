import { readdirSync, readFileSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { captureEnvironment } from "./environment.ts";
import {
  appendMetrics,
  createRunFolder,
  openRunFolder,
  readJson,
  readMetrics,
  trimMetrics,
  writeJson,
} from "./run-folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-run-"));
});

test("a run folder holds its configuration, and is opened as what was created", async () => {
  const run = await createRunFolder(join(folder, "runs", "a"), "seed: 1\n");
  expect(readFileSync(run.config, "utf8")).toBe("seed: 1\n");
  expect(readdirSync(run.path).sort()).toEqual(["checkpoints", "config.yaml", "reports"]);
  expect(await openRunFolder(join(folder, "runs", "a"))).toEqual(run);
});

test("a folder that is a run, holds something else or is a file is not made a run", async () => {
  await createRunFolder(join(folder, "a"), "");
  await expect(createRunFolder(join(folder, "a"), "")).rejects.toMatchObject({ code: "ERR_USAGE" });
  await mkdir(join(folder, "b"));
  await writeFile(join(folder, "b", "thesis.tex"), "");
  await expect(createRunFolder(join(folder, "b"), "")).rejects.toThrow(/not empty \(thesis\.tex\)/);
  await expect(createRunFolder(join(folder, "b", "thesis.tex"), "")).rejects.toThrow(/is a file/);
});

test("a folder left by a run that died before its configuration was written can be used", async () => {
  await mkdir(join(folder, "a", "checkpoints"), { recursive: true });
  await createRunFolder(join(folder, "a"), "x: 1");
  await openRunFolder(join(folder, "a"));
});

test("what is not a run folder is refused as the user's mistake, saying why", async () => {
  await expect(openRunFolder(join(folder, "none"))).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: expect.stringMatching(/does not exist/),
  });
  await expect(openRunFolder(folder)).rejects.toThrow(/has no config\.yaml/);
});

test("metrics come back in order; a last line cut short is left out and trimmed away", async () => {
  const run = await createRunFolder(join(folder, "a"), "");
  expect(await readMetrics(run)).toEqual([]);
  await appendMetrics(run, { step: 1, loss: 2.5 }, { step: 2, loss: Number.NaN });
  await appendMetrics(run, { step: 3 });
  await appendFile(run.metrics, '{"step":4,"lo');
  expect(await readMetrics(run)).toEqual([{ step: 1, loss: 2.5 }, { step: 2, loss: null }, { step: 3 }]);
  await trimMetrics(run, ({ step }) => Number(step) <= 2);
  await appendMetrics(run, { step: 3, again: true });
  expect(await readMetrics(run)).toEqual([
    { step: 1, loss: 2.5 },
    { step: 2, loss: null },
    { step: 3, again: true },
  ]);
});

test("a broken line inside the metrics is named by its number", async () => {
  const run = await createRunFolder(join(folder, "a"), "");
  await appendFile(run.metrics, '{"step":1}\n{"st\n{"step":2}\n');
  await expect(readMetrics(run)).rejects.toThrow(/metrics\.jsonl:2 /);
});

test("JSON is written and read; a broken file is refused by name", async () => {
  const path = join(folder, "x.json");
  await writeJson(path, { a: [1, null] });
  expect(await readJson(path)).toEqual({ a: [1, null] });
  await writeFile(path, "{");
  await expect(readJson(path)).rejects.toThrow(/x\.json cannot be read as JSON/);
});

test("the environment names Node, CPU and commit, and nothing for a folder that is no checkout", async () => {
  const here = await captureEnvironment({ "onnxruntime-node": "1.30.0" }, import.meta.dirname);
  expect(here).toMatchObject({ node: process.versions.node, packages: { "onnxruntime-node": "1.30.0" } });
  expect(here.cpu.threads).toBeGreaterThan(0);
  if (here.git) expect(here.git.commit).toMatch(/^[0-9a-f]{40}$/);
  expect(await captureEnvironment({}, folder)).not.toHaveProperty("git");
});
