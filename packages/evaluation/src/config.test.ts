import { expect, test } from "vitest";
import { EvaluationConfig } from "./config.ts";

test("an empty section is the paper's evaluation: 64-256-128-C, 50 epochs of Adam at 1e-3, every single modality, 10,000 lines", () => {
  expect(EvaluationConfig.parse({})).toEqual({
    classifier: { widths: [256, 128], epochs: 50, batchSize: 64, learningRate: 1e-3, lastBatch: "drop" },
    subsets: "singles",
    retrieval: { samples: 5000 },
    alignment: {
      ...{ rays: 10_000, samples: 10_000, sphereCoverage: 1, minClusterSize: 10 },
      ...{ componentConsistency: 0, componentQuality: 0, decimals: 4, threads: 0 },
    },
    rows: 256,
  });
});

test("unknown keys and empty subsets are refused", () => {
  expect(EvaluationConfig.safeParse({ classifier: { width: [3] } }).success).toBe(false);
  expect(EvaluationConfig.safeParse({ subsets: [[]] }).success).toBe(false);
  expect(EvaluationConfig.safeParse({ subsets: "pairs" }).success).toBe(false);
});
