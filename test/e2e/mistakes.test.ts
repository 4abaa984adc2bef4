import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gmc, ROOT, workFolder } from "./gmc.ts";

const folder = workFolder();
const DEMO = join(ROOT, "examples/demo.yaml");
const DATA = ["--data.path", "data/synth"];

beforeAll(async () => {
  const made = await gmc(
    ["data", "synth", "--out", "data/synth", "--train", "128", "--test", "20", "--seed", "1"],
    folder.path,
  );
  expect(made.code, made.stderr).toBe(0);
  writeFileSync(join(folder.path, "unknown.yaml"), "data:\n  path: data/synth\ntraining:\n  bachSize: 3\n");
  mkdirSync(join(folder.path, "empty"));
});
afterAll(() => folder.close());

const TRAIN = ["train", DEMO, ...DATA, "--out", "runs/x"];
const CASES: [title: string, args: string[], code: string, message: RegExp][] = [
  [
    "an unknown key",
    ["train", "unknown.yaml", "--out", "runs/x"],
    "ERR_CONFIG",
    /training\.bachSize is not a known key \(line 4 of unknown\.yaml\); did you mean training\.batchSize\?/,
  ],
  [
    "an unknown flag path",
    [...TRAIN, "--training.bachSize", "3"],
    "ERR_CONFIG",
    /--training\.bachSize.*did you mean training\.batchSize/,
  ],
  [
    "a value of the wrong type",
    [...TRAIN, "--training.batchSize", "many"],
    "ERR_CONFIG",
    /training\.batchSize: expected integer > 0, received "many" \(--training\.batchSize\)/,
  ],
  ["shards that do not divide the batch", [...TRAIN, "--training.shards", "3"], "ERR_CONFIG", /shards/],
  ["a batch larger than the data", [...TRAIN, "--training.batchSize", "1000"], "ERR_CONFIG", /1000.*128/],
  ["a data set that is not there", ["train", DEMO, "--data.path", "nowhere", "--out", "runs/x"], "ERR_DATA", /nowhere/],
  ["a config that is not there", ["train", "nowhere.yaml"], "ERR_USAGE", /nowhere\.yaml/],
  ["no config", ["train"], "ERR_USAGE", /config/],
  ["a resume of nothing", [...TRAIN, "--resume"], "ERR_USAGE", /runs\/x/],
  ["a folder that is not a run", ["evaluate", "empty"], "ERR_USAGE", /empty is not a run folder/],
  ["an unknown option", [...TRAIN, "--jsn"], "ERR_USAGE", /unknown option '--jsn'.*--json/],
  ["an unknown command", ["trian"], "ERR_USAGE", /unknown command 'trian'.*train/],
  ["an option with a bad value", [...TRAIN, "--seed", "x"], "ERR_USAGE", /--seed/],
  ["a config flag without a value", [...TRAIN, "--training.epochs"], "ERR_USAGE", /--training\.epochs/],
  ["a missing option", ["encode", "runs/x"], "ERR_USAGE", /--out/],
];

test.each(CASES)("%s is the user's mistake: exit code 2 and one clear line", async (_, args, code, message) => {
  const [plain, json] = await Promise.all([gmc(args, folder.path), gmc([...args, "--json"], folder.path)]);
  expect(plain.code, plain.stderr).toBe(2);
  expect(plain.stdout).toBe("");
  expect(plain.stderr).toMatch(message);
  expect(plain.stderr.trim().split("\n")).toHaveLength(1);
  expect(json.code).toBe(2);
  const document = JSON.parse(json.stdout);
  expect(Object.keys(document)).toEqual(["error"]);
  expect(document.error).toMatchObject({ code, message: expect.stringMatching(message), details: expect.anything() });
  expect(existsSync(join(folder.path, "runs/x"))).toBe(false);
});

test.each([
  "",
  "train",
  "evaluate",
  "align",
  "report",
  "encode",
  "demo",
  "config",
  "models",
  "data",
  "data synth",
  "data build digits",
  "data build mhd",
  "data import",
  "data inspect",
  "doctor",
])("gmc %s --help shows examples on standard output", async (command) => {
  const ended = await gmc([...command.split(" ").filter(Boolean), "--help"], folder.path);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toContain("Examples:");
  expect(ended.stdout).toMatch(/gmc /);
});

test("gmc train --help lists the config's values with type, default and description", async () => {
  const { stdout } = await gmc(["train", "--help"], folder.path);
  expect(stdout).toMatch(/--training\.batchSize <integer > 0> \[64\]\n +\S/);
  expect(stdout).toMatch(/--model\.modalities\.<name>\.encoder\.kind <.*conv2d.*>/);
});

test("gmc without a command shows its help and is a mistake", async () => {
  const ended = await gmc([], folder.path);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain("Usage: gmc");
});
