import { ConfigError } from "@gmc/core";
import { configSha256, parseRunConfig } from "@gmc/experiment";
import { expect, test } from "vitest";
import type { SweepSource } from "./plan-sweep.ts";
import { planSweep } from "./plan-sweep.ts";

const BASE = { file: "base.yaml", content: "data:\n  path: d\ntraining:\n  epochs: 3\n" };
const SWEEP = `name: two
base: base.yaml
config:
  model:
    temperature: 0.2
grid:
  training.batchSize: [32, 64]
  training.lastBatch:
    - drop
    - keep
seeds: [4, 2]
`;
const plan = (content: string, more: Partial<SweepSource> = {}) =>
  planSweep({ file: "sweep.yaml", content, base: BASE, ...more });
const problem = (content: string, more: Partial<SweepSource> = {}): string => {
  try {
    plan(content, more);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("the sweep was accepted");
};

test("cells are configurations by seeds: the last path changes fastest, seeds as they are listed", () => {
  const { name, cells, evaluate } = plan(SWEEP);
  expect([name, evaluate]).toEqual(["two", ["evaluation"]]);
  expect(cells.map((cell) => cell.name)).toEqual([
    "batchSize-32_lastBatch-drop_seed-4",
    "batchSize-32_lastBatch-drop_seed-2",
    "batchSize-32_lastBatch-keep_seed-4",
    "batchSize-32_lastBatch-keep_seed-2",
    "batchSize-64_lastBatch-drop_seed-4",
    "batchSize-64_lastBatch-drop_seed-2",
    "batchSize-64_lastBatch-keep_seed-4",
    "batchSize-64_lastBatch-keep_seed-2",
  ]);
  expect(cells[5]?.point).toEqual({ "training.batchSize": 64, "training.lastBatch": "drop" });
});

test("a cell's config is that of a run with the base, the sweep's values, the point and the seed", () => {
  const { cells } = plan(SWEEP, { overrides: [["training.clipNorm", "2"]] });
  const training = { epochs: 3, batchSize: 64, lastBatch: "keep", clipNorm: 2 } as const;
  const name = "batchSize-64_lastBatch-keep_seed-2";
  const alone = parseRunConfig({ data: { path: "d" }, model: { temperature: 0.2 }, training, seed: 2, name });
  expect(configSha256(cells[7]!.config)).toBe(configSha256(alone));
});

test("a number of seeds counts from 0, and a sweep without a grid has one configuration", () => {
  const { cells, name } = plan("seeds: 3\nbase: x\n");
  expect(name).toBe("sweep"); // the file's
  expect(cells.map(({ name, point, seed, config }) => [name, point, seed, config.seed])).toEqual([
    ["seed-0", {}, 0, 0],
    ["seed-1", {}, 1, 1],
    ["seed-2", {}, 2, 2],
  ]);
});

test("sections can be values of a grid, and names of folders stay different, short and plain", () => {
  const { cells } = plan(`base: x
grid:
  training.schedule: [{ kind: constant }, { kind: cosine, warmupSteps: 5 }]
  evaluation.subsets: [[[image, sound]], "all"]
  data.path: [a/b, a-b, ${"x".repeat(200)}]
`);
  const names = cells.map(({ name }) => name);
  expect(new Set(names).size).toBe(12);
  for (const name of names) expect(name).toMatch(/^[A-Za-z0-9.+_-]{1,120}$/);
  expect(cells.at(-1)?.config.training.schedule).toEqual({ kind: "cosine", warmupSteps: 5, finalFraction: 0 });
});

test("more values in a grid leave the names of the others as they were", () => {
  const names = (values: string) =>
    plan(`base: x\ngrid:\n  training.epochs: [${values}]\n`).cells.map(({ name }) => name);
  expect(names("1, 2, 3")).toEqual(expect.arrayContaining(names("3, 1")));
});

test.each([
  [
    "a key that does not exist",
    SWEEP.replace("batchSize", "batchsize"),
    /training\.batchsize .*line 7 of sweep.yaml.*did you mean training\.batchSize/,
  ],
  [
    "a value of a grid",
    SWEEP.replace("- keep", "- held"),
    /training\.lastBatch.*drop \| keep.*"held".*line 10 of sweep.yaml/,
  ],
  ["a value of the config", SWEEP.replace("0.2", "hot"), /model\.temperature.*"hot".*line 5 of sweep.yaml/],
  [
    "a key of the config",
    SWEEP.replace("temperature", "temprature"),
    /temprature .*line 5 of sweep.yaml.*did you mean model\.temperature/,
  ],
  [
    "a key of the sweep",
    SWEEP.replace("seeds:", "sedes:"),
    /sedes is not a known key \(line 11 of sweep.yaml\); did you mean seeds/,
  ],
  [
    "a grid that is no list",
    SWEEP.replace("[32, 64]", "32"),
    /grid\.training\.batchSize.*received 32.*line 7 of sweep.yaml/,
  ],
  ["an empty grid", SWEEP.replace("[32, 64]", "[]"), /grid\.training\.batchSize.*line 7 of sweep.yaml/],
  ["a value that comes twice", SWEEP.replace("[32, 64]", "[32, 32]"), /32 comes twice \(line 7 of sweep.yaml/],
  ["a seed that comes twice", SWEEP.replace("[4, 2]", "[4, 4]"), /4 comes twice \(line 11 of sweep.yaml/],
  ["no seeds", SWEEP.replace("[4, 2]", "0"), /seeds.*line 11 of sweep.yaml/],
  ["seeds in the grid", SWEEP.replace("training.batchSize", "seed"), /seeds \(line 7 of sweep.yaml/],
  ["seeds in the config", SWEEP.replace("  model:", "  seed: 3\n  model:"), /seeds \(line 4 of sweep.yaml/],
  [
    "paths that lie in each other",
    SWEEP.replace("training.lastBatch:", "training.batchSize.x:"),
    /lies in training\.batchSize.*line 8 of sweep.yaml/,
  ],
  [
    "a path below a plain value",
    SWEEP.replace("training.lastBatch:", "data.path.x:"),
    /line 9 of sweep.yaml.*data\.path is "d" and has nothing below it/,
  ],
  [
    "values that contradict each other",
    SWEEP.replace("training.lastBatch:\n    - drop\n    - keep", "training.shards: [1,\n    48]"),
    /shards must divide.*line 9 of sweep.yaml, value 48/,
  ],
  ["text that is no YAML", SWEEP.replace("[4, 2]", "[4, 2"), /sweep.yaml, line 1[12], column/],
])("%s is refused with its line", (_, content, message) => {
  expect(problem(content)).toMatch(message);
});

test("a mistake in the base names the base's line", () => {
  const base = { ...BASE, content: BASE.content.replace("epochs: 3", "epochs: many") };
  expect(problem(SWEEP, { base })).toMatch(/training\.epochs.*line 4 of base.yaml/);
});

test("flags stand over the base and must leave the grid and the seeds alone", () => {
  expect(problem(SWEEP, { overrides: [["training.epochs", "x"]] })).toMatch(/training\.epochs.*--training\.epochs/);
  expect(problem(SWEEP, { overrides: [["training.batchSize", 8]] })).toMatch(
    /--training\.batchSize.*line 7 of sweep.yaml/,
  );
  expect(problem(SWEEP, { overrides: [["seed", 8]] })).toMatch(/--seed.*line 11 of sweep.yaml/);
});
