import type { SpreadPanel } from "@gmc/evaluation";
import { spreadChart } from "@gmc/evaluation";
import { metricGroup, metricLabel } from "./cell-metrics.ts";
import { pointText } from "./cell-name.ts";
import type { SweepResult } from "./sweep-result.ts";
import { metricNames } from "./sweep-result.ts";

/** Means and spreads of all metrics, one colour a configuration; undefined before a run has finished. */
export function sweepChart(result: SweepResult): string | undefined {
  const cells = result.cells.filter(({ seeds }) => seeds.length > 0);
  if (cells.length === 0) return undefined;
  const groups = new Map<string, string[]>();
  for (const name of metricNames(cells)) {
    const group = metricGroup(name);
    groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  const panels = [...groups].map(([group, metrics]): SpreadPanel => {
    const factor = group === "accuracy" || group === "recall@1" ? 100 : 1;
    return {
      unit: UNITS[group] ?? group,
      labels: metrics.map(metricLabel),
      values: cells.map((cell) => metrics.map((name) => (cell.metrics[name]?.values ?? []).map((v) => factor * v))),
    };
  });
  return spreadChart({ title: result.name, series: cells.map(({ config }) => ({ name: pointText(config) })), panels });
}

const UNITS: Readonly<Record<string, string>> = {
  accuracy: "accuracy (%)",
  "recall@1": "recall at 1 (%)",
  alignment: "alignment",
  finalLoss: "loss",
  wallSeconds: "seconds",
};
