import type { JudgedRun, RunRecord } from "@gmc/experiment";

/** What a finished run gives. */
export interface CellResult extends JudgedRun {
  readonly record: RunRecord;
}

/** A run's numbers by name, in the order of tables. */
export type Metrics = Readonly<Record<string, number>>;

/**
 * Everything of a run that is averaged over seeds: "accuracy.complete", "accuracy.image" (fractions),
 * "recall@1.image.sound" (from, to), "alignment.image.score", "finalLoss", "wallSeconds".
 */
export function metricsOf({ record, evaluation, alignment }: CellResult): Metrics {
  const metrics: Record<string, number> = {};
  for (const [name, fraction] of Object.entries(evaluation?.accuracy ?? {})) metrics[`accuracy.${name}`] = fraction;
  for (const [from, row] of Object.entries(evaluation?.retrieval ?? {})) {
    for (const [to, recall] of Object.entries(row)) metrics[`recall@1.${from}.${to}`] = recall["recall@1"];
  }
  for (const [name, scores] of Object.entries(alignment?.modalities ?? {})) {
    for (const score of ["precision", "recall", "quality", "consistency", "score"] as const) {
      metrics[`alignment.${name}.${score}`] = scores[score];
    }
  }
  if (record.finalLoss !== null) metrics.finalLoss = record.finalLoss;
  metrics.wallSeconds = record.wallSeconds;
  return metrics;
}

/** True where less is better. */
export const lowerIsBetter = (metric: string): boolean => metric === "finalLoss" || metric === "wallSeconds";

/** The kind of a metric: "accuracy", "recall@1", "alignment", or the metric itself. */
export const metricGroup = (metric: string): string => metric.split(".")[0] ?? metric;

/** A metric within its kind: "image", "image → sound", "image score"; itself where it has no kind. */
export function metricLabel(metric: string): string {
  const [group = metric, ...rest] = metric.split(".");
  if (rest.length === 0) return group === "finalLoss" ? "final loss" : group === "wallSeconds" ? "seconds" : group;
  return rest.join(group === "recall@1" ? " → " : " ");
}

/** A value for people: fractions in percent, losses with four digits. */
export function metricText(metric: string, value: number): string {
  switch (metricGroup(metric)) {
    case "accuracy":
    case "recall@1":
      return (100 * value).toFixed(2);
    case "alignment":
      return value.toFixed(3);
    case "wallSeconds":
      return value.toFixed(1);
    default:
      return value.toFixed(4);
  }
}
