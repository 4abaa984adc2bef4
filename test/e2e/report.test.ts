import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gmc, gmcJson, ROOT, workFolder } from "./gmc.ts";

const folder = workFolder();
const at = (...names: string[]) => join(folder.path, ...names);
const FEW = ["--rays", "100", "--samples", "60", "--points", "60", "--evaluation.classifier.epochs", "2"];

beforeAll(async () => {
  const made = await gmc(
    ["data", "synth", "--out", "data/synth", "--train", "128", "--test", "80", "--seed", "1"],
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

interface ReportDocument {
  readonly out: string;
  readonly runs: readonly {
    readonly name: string;
    readonly folder: string;
    readonly evaluation: { readonly accuracy: Record<string, number> };
    readonly alignment: { readonly modalities: Record<string, unknown> };
    readonly parameters: { readonly total: number };
  }[];
}

test("a trained run gets its whole report with one command", async () => {
  const document = await gmcJson<ReportDocument>(["report", "runs/0", "--out", "report.html", ...FEW], folder.path);
  expect(document.out).toBe("report.html");
  expect(document.runs).toHaveLength(1);
  const [run] = document.runs;
  expect(Object.keys(run?.evaluation.accuracy ?? {})).toContain("trajectory");
  expect(Object.keys(run?.alignment.modalities ?? {})).toHaveLength(4);
  const html = readFileSync(at("report.html"), "utf8");
  for (const shown of ["Missing modalities", "Geometric alignment", "UMAP", "PCA", "Loss", "402,432", "batchSize"]) {
    expect(html).toContain(shown);
  }
  expect(html.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:/);
});

test("a second report of the same measures nothing again", async () => {
  const again = await gmc(["report", "runs/0", "--out", "again.html", ...FEW], folder.path);
  expect(again.code, again.stderr).toBe(0);
  expect(again.stdout).toContain("again.html");
  expect(again.stderr).toBe("");
});

test("without --out a run's report lies in its reports; several runs need a place", async () => {
  const one = await gmc(["report", "runs/1", ...FEW, "--pictures", "none"], folder.path);
  expect(one.code, one.stderr).toBe(0);
  expect(existsSync(at("runs/1/reports/report.html"))).toBe(true);
  expect(existsSync(at("runs/1/reports/umap.svg"))).toBe(false);
  const several = await gmc(["report", "runs", ...FEW], folder.path);
  expect(several.code).toBe(2);
  expect(several.stderr).toContain("--out report.html");
});

test("several runs stand side by side, with mean and deviation over seeds", async () => {
  const args = ["report", "runs", "--out", "pages/both.html", "--title", "Two seeds", "--pictures", "pca", ...FEW];
  const { runs } = await gmcJson<ReportDocument>(args, folder.path);
  expect(runs.map(({ name }) => name)).toEqual(["0", "1"]);
  const html = readFileSync(at("pages/both.html"), "utf8");
  expect(html).toContain("<h1>Two seeds</h1>");
  expect(html).toContain("mean ± std of 2 runs");
});

test.each([
  ["a folder that is no run", ["report", "data", "--out", "x.html"], "ERR_USAGE", /data is not a run folder/],
  ["an unknown kind of picture", ["report", "runs/0", "--pictures", "tsne"], "ERR_USAGE", /--pictures/],
  ["no run", ["report"], "ERR_USAGE", /run/],
])("%s is the user's mistake", async (_, args, code, message) => {
  const ended = await gmc([...args, "--json"], folder.path);
  expect(ended.code).toBe(2);
  expect(JSON.parse(ended.stdout).error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(existsSync(at("x.html"))).toBe(false);
});

test("models --parameters is the parameter table of any config", async () => {
  const args = ["models", "--parameters", join(ROOT, "examples/demo.yaml"), "--data.path", "data/synth"];
  const { parts, total } = await gmcJson<{ parts: { part: string; parameters: number }[]; total: number }>(
    args,
    folder.path,
  );
  expect(parts.map(({ part }) => part)).toEqual(["image", "sound", "trajectory", "label", "joint", "head"]);
  expect(parts.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(total);
  const text = await gmc(args, folder.path);
  expect(text.stdout).toContain("402,432");
});
