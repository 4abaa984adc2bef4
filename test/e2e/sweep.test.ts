import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TrainDocument } from "./gmc.ts";
import { gmc, gmcJson, ROOT, start, workFolder } from "./gmc.ts";

// The example's sweep on a smaller data set, killed on its way and gone on with; one test after another in one folder.
const folder = workFolder();
const at = (...names: string[]) => join(folder.path, ...names);
const sweep = (...more: string[]) => [
  ...["sweep", join(ROOT, "examples/demo-sweep.yaml"), "--data.path", "data/synth", "--training.epochs", "1"],
  ...more,
];

interface Spread {
  readonly mean: number;
  readonly std: number | null;
  readonly values: readonly number[];
}
interface SweepDocument {
  readonly cells: readonly {
    readonly config: Readonly<Record<string, unknown>>;
    readonly seeds: readonly number[];
    readonly runs: readonly string[];
    readonly metrics: Readonly<Record<string, Spread>>;
  }[];
  readonly failed: readonly { readonly run: string; readonly error: { readonly code: string } }[];
}
const record = (run: string): TrainDocument => JSON.parse(readFileSync(at(run, "run.json"), "utf8"));
let first: SweepDocument;

beforeAll(async () => {
  await gmcJson(
    ["data", "synth", "--out", "data/synth", "--train", "320", "--test", "100", "--seed", "1"],
    folder.path,
  );
  const killed = start(sweep("--out", "runs/s"), folder.path);
  await killed.shows("[2/6] learningRate-0.0003_seed-1"); // one has finished, the next one has begun
  killed.child.kill("SIGKILL");
  await killed.ended;
  first = await gmcJson<SweepDocument>(sweep("--out", "runs/s"), folder.path);
});
afterAll(() => folder.close());

test("two values with three seeds give one table, although the sweep was killed on its way", () => {
  expect(first.failed).toEqual([]);
  expect(first.cells.map(({ config, seeds }) => [config, seeds])).toEqual([
    [{ "training.optimizer.learningRate": 3e-4 }, [0, 1, 2]],
    [{ "training.optimizer.learningRate": 1e-3 }, [0, 1, 2]],
  ]);
  for (const { metrics, runs } of first.cells) {
    expect(Object.keys(metrics)).toEqual([
      ...["complete", "image", "sound", "trajectory", "label"].map((name) => `accuracy.${name}`),
      "finalLoss",
      "wallSeconds",
    ]);
    const losses = runs.map((run) => record(`runs/s/${run}`).finalLoss);
    expect(metrics.finalLoss?.values).toEqual(losses);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / 3;
    const variance = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / 2;
    expect(metrics.finalLoss?.mean).toBeCloseTo(mean, 10);
    expect(metrics.finalLoss?.std).toBeCloseTo(Math.sqrt(variance), 10);
  }
});

test("the table lies in the sweep's folder as Markdown, CSV, JSON and a picture", () => {
  expect(JSON.parse(readFileSync(at("runs/s/sweep.json"), "utf8"))).toEqual(first);
  expect(readFileSync(at("runs/s/sweep.md"), "utf8")).toMatch(
    /\| training\.optimizer\.learningRate 0\.001 \| 3 \| [\d.]+ ± [\d.]+ \|/,
  );
  expect(readFileSync(at("runs/s/sweep.csv"), "utf8").split("\n")).toHaveLength(4);
  expect(readFileSync(at("runs/s/sweep.svg"), "utf8")).toContain("</svg>");
  expect(readFileSync(at("runs/s/sweep.png")).subarray(1, 4).toString()).toBe("PNG");
});

test("any run of it trains alone to the same bits", async () => {
  const run = "learningRate-0.0003_seed-1"; // the one that was killed
  const alone = await gmcJson<TrainDocument>(
    ["train", `runs/s/${run}/config.yaml`, "--out", "runs/alone"],
    folder.path,
  );
  expect(alone.weightsSha256).toBe(record(`runs/s/${run}`).weightsSha256);
});

test("what is there is not trained again, and Ctrl-C says how to go on", async () => {
  const before = record("runs/s/learningRate-0.001_seed-2");
  rmSync(at("runs/s/learningRate-0.001_seed-0"), { recursive: true });
  const stopped = start(sweep("--out", "runs/s", "--json"), folder.path);
  await stopped.shows("[4/6]");
  stopped.child.kill("SIGINT");
  const ended = await stopped.ended;
  expect(ended.code).toBe(130);
  expect(JSON.parse(ended.stdout).error.message).toContain("Go on with the same command");
  const again = await gmc(sweep("--out", "runs/s"), folder.path);
  expect(again.stderr.match(/had been trained before/g)?.length).toBeGreaterThanOrEqual(5);
  expect(record("runs/s/learningRate-0.001_seed-2")).toEqual(before);
});

test("a run that fails is reported, and the others are not lost", async () => {
  const yaml = [
    `base: ${join(ROOT, "examples/demo.yaml")}`,
    "config: { data: { path: data/synth }, training: { epochs: 1 } }",
    "grid: { training.optimizer.learningRate: [1.0e-3, 1.0e+30] }",
    "seeds: [5]",
    "evaluate: []",
  ];
  writeFileSync(at("wild.yaml"), yaml.join("\n"));
  const ended = await gmc(["sweep", "wild.yaml", "--json"], folder.path);
  const document: SweepDocument = JSON.parse(ended.stdout);
  expect(ended.code).toBe(1);
  expect(document.failed).toMatchObject([{ run: "learningRate-1e+30_seed-5", error: { code: "ERR_NON_FINITE" } }]);
  expect(document.cells[0]).toMatchObject({ seeds: [5], metrics: { finalLoss: { std: null } } });
  expect(document.cells[1]).toMatchObject({ seeds: [], metrics: {} });
  expect(existsSync(at("runs/wild/sweep.md"))).toBe(true);
});

test("a mistake in a sweep's file names its line and starts nothing", async () => {
  writeFileSync(at("bad.yaml"), `base: ${join(ROOT, "examples/demo.yaml")}\ngrid:\n  training.batchsize: [32, 64]\n`);
  const ended = await gmc(["sweep", "bad.yaml", "--out", "runs/bad"], folder.path);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toMatch(
    /^gmc: training\.batchsize is not a known key \(line 3 of bad\.yaml.*did you mean training\.batchSize\?$/m,
  );
  expect(existsSync(at("runs/bad"))).toBe(false);
});

test("runs are listed, compared, and exported; two sweeps are compared", async () => {
  const { runs } = await gmcJson<{ runs: { run: string }[] }>(
    ["runs", "runs/s", "--filter", "training.optimizer.learningRate=0.001", "--sort", "seed"],
    folder.path,
  );
  expect(runs.map(({ run }) => run)).toEqual([0, 1, 2].map((seed) => `runs/s/learningRate-0.001_seed-${seed}`));
  const [a = "", b = ""] = [`runs/s/${first.cells[0]?.runs[0]}`, `runs/s/${first.cells[1]?.runs[0]}`];
  const { differences } = await gmcJson<{ differences: unknown[] }>(["runs", "compare", a, b], folder.path);
  expect(differences).toContainEqual({ path: "training.optimizer.learningRate", values: [3e-4, 1e-3] });
  const { exported } = await gmcJson<{ exported: { file: string }[] }>(
    ["runs", "export", "runs/s", "--tensorboard", "board"],
    folder.path,
  );
  expect(exported.map(({ file }) => existsSync(at(file)))).toEqual(Array(6).fill(true));
  const { configs } = await gmcJson<{ configs: unknown[] }>(["sweep", "compare", "runs/s", "runs/s"], folder.path);
  expect(configs).toHaveLength(2);
});
