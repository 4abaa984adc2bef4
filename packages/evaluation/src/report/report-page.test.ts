import { expect, test } from "vitest";
import type { ModalityAlignment } from "../align-modality.ts";
import { leavesOf } from "./fact-sections.ts";
import { lossChart } from "./loss-chart.ts";
import type { ReportRun } from "./report-data.ts";
import { reportPage } from "./report-page.ts";

const aligned = (score: number, eachOnce = false): ModalityAlignment => ({
  ...{ precision: 0.9, recall: 0.8, quality: 0.4, consistency: 1, score, eachOnce },
  ...{ edges: 10, heterogeneousEdges: 4, components: [], outliers: { reference: 1, evaluated: 2 } },
  ...{ rays: 300, seed: 1, sphereCoverage: 1, minClusterSize: 10, componentConsistency: 0, componentQuality: 0 },
  ...{ referencePoints: 500, evaluatedPoints: eachOnce ? 10 : 500, distinctPoints: 900, dim: 8 },
  ...{ graph: { edges: 20, heterogeneousEdges: 8 }, pairsEvaluated: 0.2, wallSeconds: 1 },
});
const run = (changed: Partial<ReportRun> = {}): ReportRun => ({
  ...{ name: "one", folder: "runs/one", seed: 1, group: "0", weightsSha256: "ab".repeat(32) },
  training: { status: "finished", steps: 40, epochs: 2, wallSeconds: 75, samplesPerSecond: 1234.4, finalLoss: 6.5 },
  evaluation: { samples: 500, accuracy: { complete: 0.99, image: 0.875, "image+sound": 0.9 } },
  alignment: { samples: 500, seed: 1, rays: 300, modalities: { image: aligned(0.61), label: aligned(0.1, true) } },
  parameters: {
    parts: [
      { part: "image", parameters: 1200 },
      { part: "head", parameters: 34 },
    ],
    total: 1234,
  },
  losses: [
    { kind: "step", step: 10, epoch: 1, loss: 12 },
    { kind: "epoch", step: 20, epoch: 1, loss: 9, validationLoss: 9.5 },
    { kind: "epoch", step: 40, epoch: 2, loss: 6.5, validationLoss: 8 },
  ],
  pictures: [{ caption: "Codes in the plane.", svg: '<svg width="10" height="10"><title>UMAP</title></svg>' }],
  config: { name: "one", seed: 1, training: { batchSize: 64, widths: [8, 4] } },
  environment: { node: "20.20.2", data: { modalities: [{ name: "image", kind: "image" }] } },
  ...changed,
});
const page = (...runs: ReportRun[]) => reportPage({ title: "A <report>", createdAt: "2026-01-02T03:04:05.000Z", runs });

test("a page is a function of its data and holds every part", () => {
  const html = page(run());
  expect(page(run())).toBe(html);
  for (const shown of ["A &lt;report&gt;", "2026-01-02 03:04 UTC", "87.50", "0.610", "10*", "1,234", "1 min 15 s"]) {
    expect(html).toContain(shown);
  }
  const titles = [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title);
  expect(titles).toEqual([
    ...["Training", "Missing modalities", "Geometric alignment", "Codes in the plane", "Loss", "Parameters"],
    ...["Configuration", "Environment"],
  ]);
  expect([...html.matchAll(/<a href="#(\w+)"/g)].every(([, id]) => html.includes(`<section id="${id}"`))).toBe(true);
});

test("a page fetches nothing: no address, no script, and a policy against both", () => {
  const html = page(run());
  expect(html).toContain("default-src 'none'");
  expect(html.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|<script|url\(|@import|src="/);
});

test("what a run lacks is left out", () => {
  const { training: _, evaluation: __, alignment: ___, ...rest } = run({ losses: [], pictures: [] });
  const html = page(rest);
  expect(html).toContain("not ended");
  for (const absent of ["Missing modalities", "Geometric alignment", "Codes in the plane", ">Loss<"]) {
    expect(html).not.toContain(absent);
  }
});

test("runs that differ in their seed only get mean and deviation, in both tables", () => {
  const second = run({
    ...{ name: "two", seed: 2 },
    evaluation: { samples: 500, accuracy: { complete: 0.97, image: 0.875, "image+sound": 0.9 } },
    alignment: { samples: 500, seed: 2, rays: 300, modalities: { image: aligned(0.71), label: aligned(0.1, true) } },
  });
  const html = page(run(), second);
  expect(html).toContain("mean ± std of 2 runs");
  expect(html).toContain("98.00 ± 1.41");
  expect(html).toContain("0.660 ± 0.071");
  const third = page(run(), second, run({ name: "three", group: "2" }));
  expect(third).toContain("mean ± std of one, two");
  expect(page(run(), run({ name: "other", group: "1" }))).not.toContain("±");
});

test("runs side by side: what they share stands once, what differs is marked", () => {
  const other = run({ name: "two", config: { name: "two", seed: 1, training: { batchSize: 128, widths: [8, 4] } } });
  const html = page(run(), other);
  expect(html).toMatch(/<tr class="differs"><th scope="row" class="text">batchSize<\/th>.*?64.*?128.*?<\/tr>/);
  expect(html).toMatch(/<tr><th scope="row" class="text">widths<\/th><td class="text" colspan="2">/);
});

test("without labels the page has a recall for every two modalities", () => {
  const found = { "recall@1": 0.5, "recall@5": 0.75, "recall@10": 1 };
  const html = page(run({ evaluation: { samples: 60, retrieval: { a: { b: found }, b: { a: found } } } }));
  expect(html).toContain("50.00 / 75.00 / 100.00");
});

test("a page needs a run", () => {
  expect(() => page()).toThrow(RangeError);
});

test("leaves of nested data go by dotted paths, lists of words are one, things in a list go by their name", () => {
  expect(leavesOf({ a: { b: [1, 2] }, list: [{ name: "x", kind: "y" }, { kind: "z" }], none: null })).toEqual([
    ["a.b", "1, 2"],
    ["list.x.kind", "y"],
    ["list.1.kind", "z"],
    ["none", "null"],
  ]);
});

test("a loss curve is drawn against epochs, or steps before the first is closed", () => {
  const svg = lossChart([run()]) ?? "";
  expect(svg).toContain(">epoch</text>");
  expect(svg.match(/<circle/g)).toHaveLength(4); // two means, two of validation
  expect(svg).toContain("stroke-dasharray");
  expect(svg).not.toContain("NaN");
  const early = [1, 2].map((step) => ({ kind: "step", step, epoch: 1, loss: 5 }) as const);
  expect(lossChart([run({ losses: early })])).toContain(">step</text>");
  expect(lossChart([run({ losses: early.slice(0, 1) })])).not.toContain("NaN");
  expect(lossChart([run({ losses: [] })])).toBeUndefined();
});
