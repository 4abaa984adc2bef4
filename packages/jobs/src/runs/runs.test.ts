import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "@gmc/core";
import { decodeEventFile } from "@gmc/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compareRuns } from "./compare-runs.ts";
import { eventsOf, exportTensorboard } from "./export-tensorboard.ts";
import { parseRunFilter, selectRuns } from "./select-runs.ts";
import type { StoredRun } from "./stored-run.ts";
import { listRuns, readStoredRun } from "./stored-run.ts";

const root = mkdtempSync(join(tmpdir(), "gmc-stored-"));
const runs = join(root, "runs");
const STARTED = 1_700_000_000;

function writeRun(path: string, batchSize: number, loss: number | null, accuracy?: number): void {
  const folder = join(runs, path);
  mkdirSync(join(folder, "reports"), { recursive: true });
  writeFileSync(join(folder, "config.yaml"), `data: {path: d}\ntraining: {batchSize: ${batchSize}}\nseed: 3\n`);
  const data = { path: "/d", sha256: "d5", modalities: [] };
  writeFileSync(
    join(folder, "environment.json"),
    JSON.stringify({ data, git: { commit: "0123456789abcdef", changed: true } }),
  );
  utimesSync(join(folder, "environment.json"), STARTED, STARTED);
  const lines = [
    { event: "step", step: 1, epoch: 1, loss: 5, learningRate: 0.5, wallSeconds: 10 },
    { event: "epoch", step: 2, epoch: 1, loss: 4, validationLoss: null, wallSeconds: 20 },
    { event: "step", step: 3, epoch: 2, loss: 3, gradientNorm: 0.25, wallSeconds: 1 },
    { event: "other", step: 4, loss: 3 },
  ];
  writeFileSync(join(folder, "metrics.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  if (loss === null) return;
  const record = { run: path, status: "finished", steps: 4, epochs: 2, wallSeconds: 1, samplesPerSecond: 2 };
  writeFileSync(join(folder, "run.json"), JSON.stringify({ ...record, finalLoss: loss, weightsSha256: `w${loss}` }));
  if (accuracy === undefined) return;
  writeFileSync(
    join(folder, "reports/evaluation.json"),
    JSON.stringify({ samples: 9, accuracy: { complete: accuracy } }),
  );
}

beforeAll(() => {
  writeRun("a", 64, 2, 0.5);
  writeRun("sweep/b", 8, 1, 0.75);
  writeRun("sweep/c", 8, null);
  writeRun("broken", 64, 3);
  writeFileSync(join(runs, "broken/run.json"), "{");
  writeFileSync(join(runs, "note.txt"), "no run");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const names = (found: readonly StoredRun[]) => found.map(({ name }) => name);

test("runs are found below a folder, those of sweeps too, and a broken one says what is wrong", async () => {
  const found = await listRuns(runs);
  expect(found.map(({ name, status }) => [name, status])).toEqual([
    ["a", "finished"],
    ["broken", "unreadable"],
    ["b", "finished"],
    ["c", "unfinished"],
  ]);
  expect(found[0]).toMatchObject({
    metrics: { "accuracy.complete": 0.5, finalLoss: 2, wallSeconds: 1 },
    startedAt: "2023-11-14T22:13:20.000Z",
    commit: "0123456789+",
    dataSha256: "d5",
  });
  expect(found[1]?.problem).toContain("run.json");
  await expect(listRuns(join(root, "nowhere"))).rejects.toThrow(UsageError);
  await expect(readStoredRun(runs)).rejects.toThrow(UsageError);
});

test.each([
  ["status=finished", ["a", "b"]],
  ["status!=finished", ["broken", "c"]],
  ["training.batchSize=8", ["b", "c"]],
  ["training.batchSize > 9", ["a"]],
  ["accuracy.complete>=0.75", ["b"]],
  ["finalLoss<2", ["b"]],
  ["finalLoss<=2", ["a", "b"]],
  ["data.path=d", ["a", "b", "c"]],
])("--filter %s", async (text, expected) => {
  expect(names(selectRuns(await listRuns(runs), [parseRunFilter(text)]))).toEqual(expected);
});

test("runs are sorted by any value, those without it last", async () => {
  const found = await listRuns(runs);
  expect(names(selectRuns(found, [], { sort: "finalLoss" }))).toEqual(["b", "a", "broken", "c"]);
  expect(names(selectRuns(found, [], { sort: "finalLoss", descending: true }))).toEqual(["a", "b", "broken", "c"]);
  expect(names(selectRuns(found, [], { sort: "name" }))).toEqual(["a", "b", "broken", "c"]);
});

test("a condition that is none, and a key that no run has, are refused", async () => {
  expect(() => parseRunFilter("status")).toThrow(UsageError);
  const found = await listRuns(runs);
  expect(() => selectRuns(found, [parseRunFilter("trainin.batchSize=8")])).toThrow(/No run has trainin.batchSize/);
  expect(() => selectRuns(found, [], { sort: "acuracy" })).toThrow(/accuracy.complete/);
  expect(selectRuns([], [parseRunFilter("x=1")])).toEqual([]);
});

test("a comparison shows what differs in the configs, and all metrics side by side", async () => {
  const [a, b] = [await readStoredRun(join(runs, "a")), await readStoredRun(join(runs, "sweep/b"))];
  expect(compareRuns([a, b])).toEqual({
    runs: [join(runs, "a"), join(runs, "sweep/b")],
    differences: [{ path: "training.batchSize", values: [64, 8] }],
    metrics: [
      { name: "accuracy.complete", values: [0.5, 0.75] },
      { name: "finalLoss", values: [2, 1] },
      { name: "wallSeconds", values: [1, 1] },
    ],
    sameWeights: false,
  });
  expect(compareRuns([a, a]).sameWeights).toBe(true);
});

test("an export has every number of the metrics, a clock that goes on after a resume, and the evaluation at the end", async () => {
  const exported = await exportTensorboard(join(runs, "a"), join(root, "board"));
  expect(exported.file).toBe(join(root, "board/a", `events.out.tfevents.${STARTED}.gmc`));
  expect(decodeEventFile(readFileSync(exported.file), "x")).toEqual([
    { wallTime: STARTED + 10, step: 1, scalars: { "loss/step": 5, "training/learningRate": 0.5 } },
    { wallTime: STARTED + 20, step: 2, scalars: { "loss/epoch": 4 } },
    { wallTime: STARTED + 21, step: 3, scalars: { "loss/step": 3, "training/gradientNorm": 0.25 } },
    { wallTime: STARTED + 21, step: 4, scalars: { "accuracy/complete": 0.5 } },
  ]);
  expect(exported.events).toBe(4);
  expect(eventsOf([], 0)).toEqual([]);
});
