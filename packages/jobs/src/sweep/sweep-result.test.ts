import type { EvaluationResult } from "@gmc/evaluation";
import { expect, test } from "vitest";
import { compareSweeps, comparisonMarkdown } from "./compare-sweeps.ts";
import { sweepChart } from "./sweep-chart.ts";
import type { CellOutcome } from "./sweep-result.ts";
import { aggregateSweep, SweepResult, spreadOf } from "./sweep-result.ts";
import { sweepCsv, sweepMarkdown } from "./sweep-tables.ts";

const POINTS = [{ "model.temperature": 0.1 }, { "model.temperature": 0.2 }];
const CELLS = POINTS.flatMap((point, i) => [0, 7, 2].map((seed) => ({ name: `p${i}-s${seed}`, point, seed })));
const finished = (accuracy: number, finalLoss: number | null, wallSeconds = 2): CellOutcome => ({
  status: "finished",
  record: {
    run: "r",
    status: "finished",
    steps: 1,
    epochs: 1,
    wallSeconds,
    samplesPerSecond: 1,
    finalLoss,
    weightsSha256: "",
  },
  evaluation: { accuracy: { complete: accuracy, "image+sound": accuracy / 2 }, samples: 10 },
});
const failed: CellOutcome = { status: "failed", error: { code: "ERR_NON_FINITE", message: "NaN | at 3", details: {} } };
const outcomes = (...list: (CellOutcome | undefined)[]) =>
  new Map(list.flatMap((outcome, i) => (outcome ? [[CELLS[i]!.name, outcome] as const] : [])));
const RESULT = aggregateSweep(
  { name: "s", cells: CELLS },
  outcomes(finished(0.9, 1), finished(0.8, 2), finished(0.7, 3), finished(0.95, 9), failed, finished(0.93, 5)),
);

test("mean and sample standard deviation over seeds, with the values in the order of the seeds", () => {
  const [first, second] = RESULT.cells;
  expect(first).toMatchObject({ config: POINTS[0], seeds: [0, 7, 2], runs: ["p0-s0", "p0-s7", "p0-s2"] });
  expect(Object.keys(first?.metrics ?? {})).toEqual([
    "accuracy.complete",
    "accuracy.image+sound",
    "finalLoss",
    "wallSeconds",
  ]);
  expect(first?.metrics.finalLoss).toEqual({ mean: 2, std: 1, values: [1, 2, 3] });
  expect(first?.metrics["accuracy.complete"]?.mean).toBeCloseTo(0.8, 12);
  expect(second).toMatchObject({
    seeds: [0, 2],
    metrics: { finalLoss: { mean: 7, std: Math.sqrt(8), values: [9, 5] } },
  });
});

test("one seed has no standard deviation", () => {
  expect(spreadOf([3])).toEqual({ mean: 3, std: null, values: [3] });
});

test("a run that failed is told with its error, and the others count", () => {
  expect(RESULT.failed).toEqual([
    { config: POINTS[1], seed: 7, run: "p1-s7", error: { code: "ERR_NON_FINITE", message: "NaN | at 3", details: {} } },
  ]);
  const none = aggregateSweep({ name: "s", cells: CELLS.slice(0, 1) }, outcomes(failed));
  expect(none.cells).toEqual([{ config: POINTS[0], seeds: [], runs: [], metrics: {} }]);
  expect(none.best).toBe(null);
  expect(sweepMarkdown(none)).toContain("1 run failed");
  expect(sweepChart(none)).toBe(undefined);
});

test("the best configuration is the one with the highest accuracy, or the lowest loss", () => {
  expect(RESULT.best).toMatchObject({ metric: "accuracy.complete", config: POINTS[1], mean: 0.94 });
  const all = outcomes(finished(0.9, 1), undefined, undefined, finished(0.95, 9));
  const byLoss = aggregateSweep({ name: "s", cells: CELLS, best: "finalLoss" }, all);
  expect(byLoss.best).toEqual({ metric: "finalLoss", config: POINTS[0], mean: 1, std: null });
  expect(aggregateSweep({ name: "s", cells: CELLS, best: "accuracy.nose" }, all).best).toBe(null);
});

test("without labels recall is averaged, and a metric that one seed lacks is left out", () => {
  const recall = (value: number) => ({ "recall@1": value, "recall@5": 1, "recall@10": 1 });
  const evaluation = {
    samples: 5,
    retrieval: { image: { sound: recall(0.25) }, sound: { image: recall(0.5) } },
  } as unknown as EvaluationResult;
  const [a, b] = [finished(0, null), finished(0, 2)];
  const unlabelled = [a, b].map((one) => ({ ...one, evaluation }) as CellOutcome);
  const result = aggregateSweep({ name: "s", cells: CELLS }, outcomes(...unlabelled));
  expect(Object.keys(result.cells[0]?.metrics ?? {})).toEqual([
    "recall@1.image.sound",
    "recall@1.sound.image",
    "wallSeconds",
  ]);
  expect(result.best?.metric).toBe("recall@1.image.sound");
  expect(sweepMarkdown(result)).toContain("image → sound");
});

test("the tables show percent with spreads, and CSV carries everything", () => {
  const markdown = sweepMarkdown(RESULT);
  expect(markdown).toContain("| model.temperature 0.1 | 3 | 80.00 ± 10.00 | 40.00 ± 5.00 |");
  expect(markdown).toContain("| model.temperature 0.2 | 2 | 7.0000 ± 2.8284 | 2.0 ± 0.0 |");
  expect(markdown).toContain("Best by accuracy.complete: model.temperature 0.2 (94.00 ± 1.41).");
  expect(markdown).toContain("- p1-s7: NaN | at 3");
  const [head, first] = sweepCsv(RESULT).split("\n");
  expect(head).toMatch(
    /^model.temperature,seeds,accuracy.complete mean,accuracy.complete std,accuracy.complete values,/,
  );
  expect(first).toMatch(/^0.1,0 7 2,0\.8\d*,0\.1\d*|0\.0999\d*,0.9 0.8 0.7,/);
});

test("commas, quotes and pipes in a value stay in their cell", () => {
  const cells = [{ name: "x", point: { "data.path": 'a,"b"|c' }, seed: 0 }];
  const result = aggregateSweep({ name: "s", cells }, new Map([["x", finished(1, 1)]]));
  expect(sweepCsv(result).split("\n")[1]).toMatch(/^"a,""b""\|c",0,1,,1,/);
  expect(sweepMarkdown(result)).toContain('a,"b"\\|c');
});

test("the result reads back as itself, and the chart shows each configuration and every kind of metric", () => {
  expect(SweepResult.parse(JSON.parse(JSON.stringify(RESULT)))).toEqual(RESULT);
  const svg = sweepChart(RESULT);
  for (const shown of ["model.temperature 0.1", "accuracy (%)", "loss", "seconds", "image+sound"]) {
    expect(svg).toContain(shown);
  }
});

test("two sweeps are compared where they tried the same, and by their best", () => {
  const other = aggregateSweep(
    { name: "t", cells: CELLS.slice(0, 3) },
    outcomes(finished(0.99, 1), finished(0.98, 2), finished(0.97, 3)),
  );
  const comparison = compareSweeps(RESULT, other);
  expect(comparison.configs.map(({ config }) => config)).toEqual([POINTS[0]]);
  expect(comparison.onlyA).toEqual([POINTS[1]]);
  expect(comparison.onlyB).toEqual([]);
  const { metrics } = comparison.configs[0]!;
  expect(metrics["accuracy.complete"]?.difference).toBeCloseTo(0.18, 12);
  expect(metrics["accuracy.complete"]?.error).toBeCloseTo(Math.sqrt(0.01 / 3 + 0.0001 / 3), 12);
  expect(metrics["accuracy.complete"]?.better).toBe("b");
  expect(metrics.finalLoss).toMatchObject({ difference: 0, better: null });
  expect(comparison.best).toMatchObject({ a: POINTS[1], b: POINTS[0] });
  const swapped = compareSweeps(other, RESULT).configs[0]!.metrics["accuracy.complete"];
  expect(swapped?.better).toBe("a");
  expect(comparisonMarkdown(comparison)).toContain("| accuracy.complete | 80.00 ± 10.00 | 98.00 ± 1.00 | +18.00 | b |");
});
