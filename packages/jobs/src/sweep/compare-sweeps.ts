import { lowerIsBetter, metricText } from "./cell-metrics.ts";
import { pointKey, pointText } from "./cell-name.ts";
import type { MetricSpread, SweepResult, SweepResultCell } from "./sweep-result.ts";
import { metricNames } from "./sweep-result.ts";
import { markdownTable, spreadText } from "./sweep-tables.ts";

/** One metric of the same configuration, or of the best ones, in two sweeps. */
export interface MetricComparison {
  readonly a: MetricSpread;
  readonly b: MetricSpread;
  /** b's mean less a's. */
  readonly difference: number;
  /** The standard error of the difference; null where a sweep has one seed. */
  readonly error: number | null;
  /** Which is better by more than twice that error; null where nothing can be said. */
  readonly better: "a" | "b" | null;
}

export interface SweepComparison {
  readonly a: string;
  readonly b: string;
  /** Configurations that both have, in a's order. */
  readonly configs: readonly {
    readonly config: Readonly<Record<string, unknown>>;
    readonly metrics: Readonly<Record<string, MetricComparison>>;
  }[];
  /** a's best configuration against b's; null where one has none. */
  readonly best: {
    readonly a: Readonly<Record<string, unknown>>;
    readonly b: Readonly<Record<string, unknown>>;
    readonly metrics: Readonly<Record<string, MetricComparison>>;
  } | null;
  readonly onlyA: readonly Readonly<Record<string, unknown>>[];
  readonly onlyB: readonly Readonly<Record<string, unknown>>[];
}

/** Two sweeps side by side: what both tried, and their best. */
export function compareSweeps(a: SweepResult, b: SweepResult): SweepComparison {
  const inB = new Map(b.cells.map((cell) => [pointKey(cell.config), cell]));
  const inA = new Set(a.cells.map(({ config }) => pointKey(config)));
  const configs = a.cells.flatMap((cell) => {
    const other = inB.get(pointKey(cell.config));
    return other ? [{ config: cell.config, metrics: compareCells(cell, other) }] : [];
  });
  const [bestA, bestB] = [bestCell(a), bestCell(b)];
  return {
    a: a.name,
    b: b.name,
    configs,
    best: bestA && bestB ? { a: bestA.config, b: bestB.config, metrics: compareCells(bestA, bestB) } : null,
    onlyA: a.cells.flatMap(({ config }) => (inB.has(pointKey(config)) ? [] : [config])),
    onlyB: b.cells.flatMap(({ config }) => (inA.has(pointKey(config)) ? [] : [config])),
  };
}

/** The comparison as Markdown. */
export function comparisonMarkdown(comparison: SweepComparison): string {
  const { a, b, configs, best, onlyA, onlyB } = comparison;
  const parts = [
    `# ${a} (a) and ${b} (b)`,
    ...configs.map(({ config, metrics }) => `**${pointText(config)}**\n\n${comparisonTable(metrics)}`),
    ...(best
      ? [`**The best: ${pointText(best.a)} (a), ${pointText(best.b)} (b)**\n\n${comparisonTable(best.metrics)}`]
      : []),
    ...[onlyA, onlyB].flatMap((only, i) =>
      only.length > 0 ? [`Only in ${i === 0 ? "a" : "b"}: ${only.map(pointText).join("; ")}.`] : [],
    ),
  ];
  return `${parts.join("\n\n")}\n`;
}

function compareCells(a: SweepResultCell, b: SweepResultCell): Record<string, MetricComparison> {
  return Object.fromEntries(
    metricNames([a, b]).flatMap((metric) => {
      const [left, right] = [a.metrics[metric], b.metrics[metric]];
      return left && right ? [[metric, compareSpreads(metric, left, right)]] : [];
    }),
  );
}

function compareSpreads(metric: string, a: MetricSpread, b: MetricSpread): MetricComparison {
  const difference = b.mean - a.mean;
  const error =
    a.std === null || b.std === null
      ? null
      : Math.sqrt((a.std * a.std) / a.values.length + (b.std * b.std) / b.values.length);
  const clear = error !== null && Math.abs(difference) > 2 * error;
  const upIsBetter = difference > 0 !== lowerIsBetter(metric);
  return { a, b, difference, error, better: clear ? (upIsBetter ? "b" : "a") : null };
}

function bestCell({ cells, best }: SweepResult): SweepResultCell | undefined {
  return best ? cells.find(({ config }) => pointKey(config) === pointKey(best.config)) : undefined;
}

function comparisonTable(metrics: Readonly<Record<string, MetricComparison>>): string {
  const rows = Object.entries(metrics).map(([metric, { a, b, difference, better }]) => [
    metric,
    spreadText(metric, a),
    spreadText(metric, b),
    `${difference > 0 ? "+" : ""}${metricText(metric, difference)}`,
    better ?? "",
  ]);
  return markdownTable(["metric", "a", "b", "b - a", "better (> 2 standard errors)"], rows);
}
