import { differingPaths } from "@gmc/trainer";
import { valueOfRun } from "./select-runs.ts";
import type { StoredRun } from "./stored-run.ts";

/** What is different between runs; values are in the order of `runs`, null where a run has none. */
export interface RunComparison {
  readonly runs: readonly string[];
  /** Paths of the configs, and "data" and "commit", in which they differ. */
  readonly differences: readonly { readonly path: string; readonly values: readonly unknown[] }[];
  /** Metrics that one of them has. */
  readonly metrics: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
  /** True when all have the same weights, bit by bit. */
  readonly sameWeights: boolean;
}

/** Two runs or more side by side. */
export function compareRuns(runs: readonly StoredRun[]): RunComparison {
  const [first, ...others] = runs;
  const paths = others.flatMap((other) => differingPaths(first?.config, other.config));
  const keys = [...new Set([...paths, "dataSha256", "commit", "status"])];
  const differences = keys
    .map((path) => ({ path, values: runs.map((run) => valueOfRun(run, path) ?? null) }))
    .filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1);
  const names = [...new Set(runs.flatMap(({ metrics }) => Object.keys(metrics)))];
  const weights = new Set(runs.map(({ weightsSha256 }) => weightsSha256));
  return {
    runs: runs.map(({ run }) => run),
    differences,
    metrics: names.map((name) => ({ name, values: runs.map(({ metrics }) => metrics[name] ?? null) })),
    sameWeights: weights.size === 1 && !weights.has(undefined),
  };
}
