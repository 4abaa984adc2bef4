import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CancelledError, UsageError } from "@gmc/core";
import { openDatasetWriter } from "@gmc/data";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunProgress } from "./index.ts";
import {
  alignRun,
  evaluateFolder,
  experimentDifferences,
  findRuns,
  loadRun,
  parseRunConfig,
  reportRuns,
  trainRun,
} from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "gmc-reports-"));
const sweep = join(root, "sweep");
const run = join(sweep, "seed-0");
const data = join(root, "data");

async function writeData(): Promise<void> {
  const vector = (name: string) => ({ name, kind: "vector", shape: [3], dtype: "float32" }) as const;
  const label = { name: "c", kind: "label", shape: [2] } as const;
  const writer = await openDatasetWriter({
    ...{
      out: data,
      name: "tiny",
      source: "a test",
      modalities: [vector("a"), vector("b"), label],
      classes: ["x", "y"],
    },
  });
  for (const [split, samples] of [
    ["train", 32],
    ["test", 40],
  ] as const) {
    const [a, b] = [1, 2].map((factor) => Float32Array.from({ length: samples * 3 }, (_, i) => Math.sin(factor * i)));
    const labels = Int32Array.from({ length: samples }, (_, i) => i % 2);
    await writer.split(split).append({ a: a!, b: b! }, labels);
  }
  await writer.finish();
}

const config = (seed: number, epochs = 1) => {
  const mlp = { encoder: { kind: "mlp" as const, widths: [8] } };
  return parseRunConfig({
    name: "tiny",
    seed,
    data: { path: data, threads: 0 },
    model: {
      ...{ commonDim: 8, latentDim: 4, head: { widths: [8] } },
      modalities: { a: mlp, b: mlp, c: { encoder: { kind: "linear" } } },
    },
    engine: { threads: 1 },
    training: { batchSize: 8, epochs },
    evaluation: {
      ...{ rows: 8, classifier: { widths: [8], epochs: 1, batchSize: 8 } },
      alignment: { rays: 50, minClusterSize: 3, samples: 30 },
    },
  });
};

beforeAll(async () => {
  await writeData();
  for (const seed of [0, 1]) await trainRun({ config: config(seed), out: join(sweep, `seed-${seed}`) });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("an alignment compares every modality with complete codes and writes its reports", async () => {
  const { result, markdown, report } = await alignRun({ run });
  expect(Object.keys(result.modalities)).toEqual(["a", "b", "c"]);
  expect(result).toMatchObject({ samples: 30, seed: 0, rays: 50 });
  expect(result.modalities.a).toMatchObject({ referencePoints: 30, evaluatedPoints: 30, eachOnce: false });
  expect(result.modalities.c).toMatchObject({ referencePoints: 30, evaluatedPoints: 2, eachOnce: true });
  expect(readFileSync(report, "utf8").trim()).toBe(markdown);
  expect(JSON.parse(readFileSync(report.replace(".md", ".json"), "utf8"))).toEqual(result);
});

test("an alignment is kept, found with the same settings, and made again when it is damaged or to be fresh", async () => {
  const { result } = await alignRun({ run });
  expect((await alignRun({ run })).result).toEqual(result); // with the seconds it took the first time
  const other = await alignRun({ run, overrides: [["evaluation.alignment.rays", 60]] });
  expect(other.result.rays).toBe(60);
  expect(await alignRun({ run, overrides: [["evaluation.alignment.threads", 2]] })).toMatchObject({ result });
  const again = await alignRun({ run, fresh: true });
  expect(again.result.modalities.a?.wallSeconds).not.toBe(result.modalities.a?.wallSeconds);
  expect(withoutTime(again.result)).toEqual(withoutTime(result));
  for (const file of kept("alignment-a")) writeFileSync(file, "no result");
  expect(withoutTime((await alignRun({ run })).result)).toEqual(withoutTime(result));
});

test("the same result without the data, once it is there, and an error that says what is missing before", async () => {
  const moved = join(root, "moved");
  cpSync(run, moved, { recursive: true });
  rmSync(join(moved, "reports"), { recursive: true });
  const absent = [["data.path", join(root, "nowhere")]] as const;
  await expect(alignRun({ run: moved, overrides: absent })).rejects.toThrow(/nowhere/);
  const { result } = await alignRun({ run: moved });
  expect((await alignRun({ run: moved, overrides: absent })).result).toEqual(result);
});

test("some modalities, and some together, in the order asked for", async () => {
  const { result } = await alignRun({ run, modalities: ["b", "b+a", "b"] });
  expect(Object.keys(result.modalities)).toEqual(["b", "a+b"]);
  await expect(alignRun({ run, modalities: ["d"] })).rejects.toThrow('the model knows a, b, c; received "d"');
  await expect(alignRun({ run, modalities: [] })).rejects.toThrow(UsageError);
});

test("an aborted alignment keeps the modalities that were done", async () => {
  const stopped = join(root, "stopped");
  cpSync(run, stopped, { recursive: true });
  rmSync(join(stopped, "reports"), { recursive: true });
  const controller = new AbortController();
  const onProgress = (progress: RunProgress) => {
    if (progress.phase === "task" && progress.label === "Encoding test from b") controller.abort();
  };
  const work = alignRun({ run: stopped, signal: controller.signal, onProgress });
  await expect(work).rejects.toThrow(CancelledError);
  expect(readdirSync(join(stopped, "reports/cache")).map((name) => name.replace(/-[0-9a-f]+\./, "."))).toEqual([
    "alignment-a.safetensors",
  ]);
  expect(existsSync(join(stopped, "reports/alignment.json"))).toBe(false);
});

test("a report measures what is missing, once, and is one page", async () => {
  const out = join(root, "pages/report.html");
  const seen: string[] = [];
  const options = { runs: [run], out, points: 20, now: new Date(0) };
  const { data } = await reportRuns({
    ...options,
    onProgress: (progress) => seen.push(progress.phase === "task" ? progress.label : progress.phase),
  });
  expect(new Set(seen).has("Laying out (UMAP)")).toBe(true);
  const html = readFileSync(out, "utf8");
  expect(html.match(/<figure>/g)).toHaveLength(3); // UMAP, PCA, loss
  expect(html).toContain((await loadRun(run)).record?.weightsSha256.slice(0, 12));
  for (const name of ["umap.svg", "umap.png", "pca.svg", "pca.png", "evaluation.md", "alignment.md"]) {
    expect(statSync(join(run, "reports", name)).size, name).toBeGreaterThan(100);
  }
  const again = await reportRuns({ ...options, onProgress: ({ phase }) => expect(phase).toBe("nothing to do") });
  expect(again.data).toEqual(data);
  expect(readFileSync(out, "utf8")).toBe(html);
  const { result } = await evaluateFolder({ run });
  expect(data.runs[0]?.evaluation).toEqual(result);
});

test("a sweep's folder is its runs, named apart, with mean and deviation over seeds", async () => {
  expect(await findRuns([sweep, run])).toEqual([run, join(sweep, "seed-1")]);
  await expect(findRuns([root, join(root, "nowhere")])).rejects.toThrow(UsageError);
  const out = join(root, "sweep.html");
  const { data } = await reportRuns({ runs: [sweep], out, pictures: [] });
  expect(data.runs.map(({ name, group }) => [name, group])).toEqual([
    ["seed-0", "0"],
    ["seed-1", "0"],
  ]);
  expect(readFileSync(out, "utf8")).toContain("mean ± std of 2 runs");
});

test("experiments differ where anything but the seed and the machine's share of the work does", async () => {
  const [one, two] = [await loadRun(run), await loadRun(join(sweep, "seed-1"))];
  expect(experimentDifferences(one, two)).toEqual([]);
  expect(experimentDifferences(one, await loadRun(run, [["evaluation.alignment.rays", 9]]))).toEqual([
    "evaluation.alignment.rays",
  ]);
  const longer = join(root, "longer");
  await trainRun({ config: config(0, 2), out: longer });
  expect(experimentDifferences(one, await loadRun(longer))).toEqual(["training.epochs"]);
});

const kept = (name: string): string[] =>
  readdirSync(join(run, "reports/cache"))
    .filter((file) => file.startsWith(name))
    .map((file) => join(run, "reports/cache", file));

function withoutTime({ modalities, ...rest }: Awaited<ReturnType<typeof alignRun>>["result"]) {
  const timeless = Object.entries(modalities).map(([name, one]) => [name, { ...one, wallSeconds: 0 }]);
  return { ...rest, modalities: Object.fromEntries(timeless) };
}
