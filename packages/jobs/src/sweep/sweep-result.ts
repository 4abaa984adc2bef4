import type { EncodedError } from "@gmc/core";
import { z } from "zod";
import type { CellResult, Metrics } from "./cell-metrics.ts";
import { lowerIsBetter, metricsOf } from "./cell-metrics.ts";
import { pointKey } from "./cell-name.ts";
import type { CellPlace, GridPoint } from "./sweep.ts";

/** How one run of a sweep ended. */
export type CellOutcome = ({ readonly status: "finished" } & CellResult) | FailedCell;
export interface FailedCell {
  readonly status: "failed";
  readonly error: EncodedError;
}

const Spread = z
  .strictObject({
    mean: z.number(),
    /** Sample standard deviation (n - 1); null for one seed. */
    std: z.number().nullable(),
    /** In the order of `seeds`. */
    values: z.array(z.number()).readonly(),
  })
  .readonly();
export type MetricSpread = z.output<typeof Spread>;

const Point = z.record(z.string(), z.unknown());

/** What a sweep gives: `sweep.json`, and what `gmc sweep --json` prints. */
export const SweepResult = z
  .strictObject({
    name: z.string(),
    cells: z
      .array(
        z
          .strictObject({
            /** The grid's values; the rest of the config is every cell's. */
            config: Point,
            /** Those that finished. */
            seeds: z.array(z.int()).readonly(),
            /** Names of their folders, below the sweep's. */
            runs: z.array(z.string()).readonly(),
            /** Metrics that all of them have. */
            metrics: z.record(z.string(), Spread),
          })
          .readonly(),
      )
      .readonly(),
    failed: z
      .array(
        z
          .strictObject({
            config: Point,
            seed: z.int(),
            run: z.string(),
            error: z.strictObject({
              code: z.string(),
              message: z.string(),
              details: z.record(z.string(), z.unknown()),
            }),
          })
          .readonly(),
      )
      .readonly(),
    /** The configuration whose mean is best; null where no run has the metric. */
    best: z
      .strictObject({ metric: z.string(), config: Point, mean: z.number(), std: z.number().nullable() })
      .nullable(),
  })
  .readonly();
export type SweepResult = z.output<typeof SweepResult>;
export type SweepResultCell = SweepResult["cells"][number];

export interface SweepSummary {
  readonly name: string;
  /** In the sweep's order. */
  readonly cells: readonly CellPlace[];
  readonly best?: string;
}

/**
 * Mean and spread over seeds of every metric of every configuration.
 *
 * @param outcomes  by the cells' names; a cell without one is not counted and not called failed
 */
export function aggregateSweep(
  { name, cells, best }: SweepSummary,
  outcomes: ReadonlyMap<string, CellOutcome>,
): SweepResult {
  const points = new Map<string, CellPlace[]>();
  for (const cell of cells) {
    const key = pointKey(cell.point);
    points.set(key, [...(points.get(key) ?? []), cell]);
  }
  const rows = [...points.values()].map((of) => rowOf(of, outcomes));
  const failed = cells.flatMap((cell) => {
    const outcome = outcomes.get(cell.name);
    if (outcome?.status !== "failed") return [];
    const { code, message, details } = outcome.error;
    return [
      { config: { ...cell.point }, seed: cell.seed, run: cell.name, error: { code, message, details: { ...details } } },
    ];
  });
  return { name, cells: rows, failed, best: bestOf(rows, best ?? defaultMetric(rows)) };
}

/** Mean and sample standard deviation of one value or more. */
export function spreadOf(values: readonly number[]): MetricSpread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null, values };
}

/** All metrics that some configuration has, in the order of tables. */
export const metricNames = (cells: readonly SweepResultCell[]): string[] => [
  ...new Set(cells.flatMap(({ metrics }) => Object.keys(metrics))),
];

function rowOf(cells: readonly CellPlace[], outcomes: ReadonlyMap<string, CellOutcome>): SweepResultCell {
  const finished = cells.flatMap(({ name, seed }) => {
    const outcome = outcomes.get(name);
    return outcome?.status === "finished" ? [{ name, seed, metrics: metricsOf(outcome) }] : [];
  });
  const all: readonly Metrics[] = finished.map(({ metrics }) => metrics);
  const common = Object.keys(all[0] ?? {}).filter((metric) => all.every((metrics) => metric in metrics));
  return {
    config: { ...(cells[0]?.point as GridPoint) },
    seeds: finished.map(({ seed }) => seed),
    runs: finished.map(({ name }) => name),
    metrics: Object.fromEntries(
      common.map((metric) => [metric, spreadOf(all.flatMap((metrics) => metrics[metric] ?? []))]),
    ),
  };
}

/** Accuracy or recall from complete samples, else the loss. */
function defaultMetric(cells: readonly SweepResultCell[]): string {
  const names = metricNames(cells);
  const wanted = ["accuracy.complete", names.find((name) => name.startsWith("recall@1."))];
  return wanted.find((name) => name !== undefined && names.includes(name)) ?? "finalLoss";
}

/** The first of the best. */
function bestOf(cells: readonly SweepResultCell[], metric: string): SweepResult["best"] {
  const sign = lowerIsBetter(metric) ? -1 : 1;
  let best: SweepResult["best"] = null;
  for (const { config, metrics } of cells) {
    const spread = metrics[metric];
    if (!spread || (best && sign * spread.mean <= sign * best.mean)) continue;
    best = { metric, config, mean: spread.mean, std: spread.std };
  }
  return best;
}
