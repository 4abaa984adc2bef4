import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gmc, gmcJson, ROOT, start, workFolder } from "./gmc.ts";

const folder = workFolder();
const at = (...names: string[]) => join(folder.path, ...names);
const FEW = ["--rays", "100", "--samples", "80"];

beforeAll(async () => {
  const made = await gmc(
    ["data", "synth", "--out", "data/synth", "--train", "128", "--test", "100", "--seed", "1"],
    folder.path,
  );
  expect(made.code, made.stderr).toBe(0);
  const train = ["train", join(ROOT, "examples/demo.yaml"), "--data.path", "data/synth", "--training.epochs", "1"];
  for (const seed of ["0", "1"]) {
    const trained = await gmc([...train, "--seed", seed, "--out", `runs/${seed}`], folder.path);
    expect(trained.code, trained.stderr).toBe(0);
  }
});
afterAll(() => folder.close());

interface Scores {
  readonly precision: number;
  readonly recall: number;
  readonly quality: number;
  readonly consistency: number;
  readonly score: number;
  readonly evaluatedPoints: number;
}
interface AlignDocument {
  readonly run: string;
  readonly samples: number;
  readonly seed: number;
  readonly rays: number;
  readonly modalities: Record<string, Scores>;
}

test("align gives precision, recall, quality, consistency and score for every modality, and keeps them", async () => {
  const document = await gmcJson<AlignDocument>(["align", "runs/0", ...FEW], folder.path);
  expect(document).toMatchObject({ run: "runs/0", samples: 80, seed: 0, rays: 100 });
  expect(Object.keys(document.modalities).sort()).toEqual(["image", "label", "sound", "trajectory"]);
  for (const { precision, recall, quality, consistency, score } of Object.values(document.modalities)) {
    for (const value of [precision, recall, quality, consistency, score]) expect(value >= 0 && value <= 1).toBe(true);
    const all = [precision, recall, quality];
    const mean = all.every((value) => value > 0) ? 3 / all.reduce((sum, value) => sum + 1 / value, 0) : 0;
    expect(score).toBeCloseTo(mean, 12);
  }
  expect(document.modalities.image?.evaluatedPoints).toBe(80);
  expect(document.modalities.label?.evaluatedPoints).toBe(10);
  const { run: _, ...result } = document;
  expect(JSON.parse(readFileSync(at("runs/0/reports/alignment.json"), "utf8"))).toEqual(result);

  const text = await gmc(["align", "runs/0", ...FEW], folder.path);
  expect(text.stdout).toMatch(/\| modality \| precision \| recall \| quality \| consistency \| score \|/);
  expect(text.stdout).toContain("| sound |");
  expect(readFileSync(at("runs/0/reports/alignment.md"), "utf8")).toContain("| sound |");
});

test("modalities, seed and threads: only the seed changes what is drawn", async () => {
  const args = ["align", "runs/0", ...FEW, "--modalities", "sound,image+label", "--fresh"];
  const one = await gmcJson<AlignDocument>([...args, "--threads", "1"], folder.path);
  expect(Object.keys(one.modalities)).toEqual(["sound", "image+label"]);
  const two = await gmcJson<AlignDocument>([...args, "--threads", "2"], folder.path);
  expect(scoresOf(two)).toEqual(scoresOf(one));
  const other = await gmcJson<AlignDocument>([...args, "--seed", "7"], folder.path);
  expect(other.seed).toBe(7);
  expect(scoresOf(other)).not.toEqual(scoresOf(one));
});

test("several seeds give mean and standard deviation", async () => {
  const args = ["align", "runs/0", "runs/1", ...FEW];
  const { runs, modalities } = await gmcJson<{
    runs: AlignDocument[];
    modalities: Record<string, Record<string, { mean: number; std: number }>>;
  }>(args, folder.path);
  expect(runs.map(({ run }) => run)).toEqual(["runs/0", "runs/1"]);
  const [a, b] = runs.map((one) => one.modalities.image?.recall ?? 0) as [number, number];
  expect(modalities.image?.recall?.mean).toBeCloseTo((a + b) / 2, 12);
  expect(modalities.image?.recall?.std).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 12);
  const text = await gmc(["align", "runs", ...FEW], folder.path); // their folder
  expect(text.stdout).toMatch(/\| image \| \d\.\d{3} ± \d\.\d{3} \|/);
});

test("--pictures draws the codes as SVG and PNG", async () => {
  const args = ["align", "runs/1", ...FEW, "--pictures"];
  const { pictures } = await gmcJson<{ pictures: string[] }>(args, folder.path);
  expect(pictures.map((path) => path.replace(/.*\//, ""))).toEqual(["umap.svg", "umap.png", "pca.svg", "pca.png"]);
  const png = readFileSync(at("runs/1/reports/umap.png"));
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect(readFileSync(at("runs/1/reports/umap.svg"), "utf8")).toMatch(/^<svg.*trajectory.*<\/svg>$/s);
});

test("Ctrl-C ends an alignment at once, with nothing half written", async () => {
  const args = ["align", "runs/0", "--rays", "65535", "--modalities", "image", "--threads", "1", "--fresh"];
  const kept = () => (existsSync(at("runs/0/reports/cache")) ? readdirSync(at("runs/0/reports/cache")) : []);
  const before = kept();
  const running = start([...args, "--json"], folder.path);
  await running.shows("Encoding test from everything");
  running.child.kill("SIGINT");
  const ended = await running.ended;
  expect(ended.code, ended.stderr).toBe(130);
  expect(JSON.parse(ended.stdout).error.code).toBe("ERR_CANCELLED");
  expect(kept()).toEqual(before);
});

test.each([
  ["a folder that is no run", ["align", "data/synth"], "ERR_USAGE", /data\/synth is not a run folder/],
  ["an unknown modality", ["align", "runs/0", "--modalities", "smell"], "ERR_USAGE", /image.*received "smell"/],
  ["too many lines", ["align", "runs/0", "--rays", "100000"], "ERR_CONFIG", /rays.*65535.*100000/],
  ["no lines", ["align", "runs/0", "--rays", "0"], "ERR_USAGE", /--rays/],
  ["no run", ["align"], "ERR_USAGE", /run/],
])("%s is the user's mistake", async (_, args, code, message) => {
  const ended = await gmc([...args, "--json"], folder.path);
  expect(ended.code).toBe(2);
  expect(JSON.parse(ended.stdout).error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(ended.stderr.trim().split("\n")).toHaveLength(1);
});

test("runs that differ in more than the seed have no mean", async () => {
  const args = [...["train", join(ROOT, "examples/demo.yaml"), "--data.path", "data/synth"], "--training.epochs", "1"];
  const trained = await gmc([...args, "--model.temperature", "0.2", "--out", "other"], folder.path);
  expect(trained.code, trained.stderr).toBe(0);
  const ended = await gmc(["align", "runs/0", "other", ...FEW], folder.path);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain("other and runs/0 differ in model.temperature");
  expect(existsSync(at("other/reports/alignment.json"))).toBe(false);
});

const scoresOf = ({ modalities }: AlignDocument) =>
  Object.entries(modalities).map(([name, { precision, recall, quality }]) => [name, precision, recall, quality]);
