import { metricGroup, metricLabel, metricText } from "./cell-metrics.ts";
import { plainText, pointText } from "./cell-name.ts";
import type { MetricSpread, SweepResult } from "./sweep-result.ts";
import { metricNames } from "./sweep-result.ts";

/** The results as Markdown: a table of mean ± std for each kind of metric, what is best, what failed. */
export function sweepMarkdown(result: SweepResult): string {
  const { name, cells, failed, best } = result;
  const names = metricNames(cells);
  const groups = tableGroups(names);
  const tables = [...groups].map(([group, metrics]) => `**${group}**\n\n${groupTable(result, metrics)}`);
  const parts = [
    `# ${name}`,
    ...(tables.length > 0 ? tables : ["No run has finished."]),
    ...(best ? [`Best by ${best.metric}: ${pointText(best.config)} (${spreadText(best.metric, best)}).`] : []),
    ...(failed.length > 0 ? [failedText(failed)] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** One line a configuration; for each metric its mean, its standard deviation and its values, separated by spaces. */
export function sweepCsv({ cells }: SweepResult): string {
  const paths = [...new Set(cells.flatMap(({ config }) => Object.keys(config)))];
  const names = metricNames(cells);
  const head = [...paths, "seeds", ...names.flatMap((name) => [`${name} mean`, `${name} std`, `${name} values`])];
  const rows = cells.map(({ config, seeds, metrics }) => [
    ...paths.map((path) => plainText(config[path])),
    seeds.join(" "),
    ...names.flatMap((name) => {
      const spread = metrics[name];
      return spread ? [String(spread.mean), String(spread.std ?? ""), spread.values.join(" ")] : ["", "", ""];
    }),
  ]);
  return [head, ...rows].map((row) => `${row.map(csvCell).join(",")}\n`).join("");
}

/** "98.35 ± 0.11", "98.35" for one value. */
export const spreadText = (metric: string, { mean, std }: Pick<MetricSpread, "mean" | "std">): string =>
  std === null ? metricText(metric, mean) : `${metricText(metric, mean)} ± ${metricText(metric, std)}`;

/** A table of Markdown; the first column stands left, the others right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapePipes).join(" | ")} |`;
  const rule = `| ${head.map((_, i) => (i === 0 ? "---" : "---:")).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

const TITLES: Readonly<Record<string, string>> = {
  accuracy: "Accuracy (%) by what is present",
  "recall@1": "Recall at 1 (%), from → to",
  alignment: "Alignment with complete codes",
};

/** Metrics of one table each, by its title. */
function tableGroups(names: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const title = TITLES[metricGroup(name)] ?? "Training";
    groups.set(title, [...(groups.get(title) ?? []), name]);
  }
  return groups;
}

function groupTable({ cells }: SweepResult, metrics: readonly string[]): string {
  const rows = cells.map(({ config, seeds, metrics: spreads }) => [
    pointText(config),
    String(seeds.length),
    ...metrics.map((metric) => {
      const spread = spreads[metric];
      return spread ? spreadText(metric, spread) : "";
    }),
  ]);
  return markdownTable(["configuration", "runs", ...metrics.map(metricLabel)], rows);
}

const failedText = (failed: SweepResult["failed"]): string =>
  [
    `${failed.length} ${failed.length === 1 ? "run" : "runs"} failed:`,
    "",
    ...failed.map(({ run, error }) => `- ${run}: ${error.message}`),
  ].join("\n");

const escapePipes = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

const csvCell = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
