import type { EvaluationResult } from "./evaluate-run.ts";
import type { Recall } from "./retrieval.ts";

/** One result as Markdown: accuracy in percent by what is present, or recall at 1, 5 and 10 between every two codes. */
export function tableMarkdown({ accuracy, retrieval, samples }: EvaluationResult): string {
  if (accuracy) return accuracyTable(accuracy, samples);
  return retrieval ? retrievalTable(retrieval, samples) : `No result for ${samples} samples.`;
}

/**
 * Results of several runs side by side, one line a run: accuracy in percent by what is present, and for two runs or more
 * their mean and standard deviation (n - 1).
 *
 * @param results  by the run's name, or its seed; those without accuracies are left out
 */
export function missingModalityTable(results: Readonly<Record<string, EvaluationResult>>): string {
  const runs = Object.entries(results).flatMap(([name, { accuracy }]) => (accuracy ? [{ name, accuracy }] : []));
  const cases = [...new Set(runs.flatMap(({ accuracy }) => Object.keys(accuracy)))];
  const lines = runs.map(({ name, accuracy }) => [name, ...cases.map((key) => percent(accuracy[key]))]);
  const summary = cases.map((key) => meanAndDeviation(runs.flatMap(({ accuracy }) => accuracy[key] ?? [])));
  return markdown(["run", ...cases], runs.length > 1 ? [...lines, ["mean ± std", ...summary]] : lines);
}

function accuracyTable(accuracy: Readonly<Record<string, number>>, samples: number): string {
  const lines = Object.entries(accuracy).map(([name, fraction]) => [name, percent(fraction)]);
  return `${markdown(["present", "accuracy (%)"], lines)}\n\n${samples} test samples.`;
}

function retrievalTable(
  retrieval: Readonly<Record<string, Readonly<Record<string, Recall>>>>,
  samples: number,
): string {
  const names = Object.keys(retrieval);
  const lines = names.map((from) => [from, ...names.map((to) => recallText(retrieval[from]?.[to]))]);
  return `${markdown(["from \\ to", ...names], lines)}\n\nRecall at 1 / 5 / 10 in percent among ${samples} test samples.`;
}

const recallText = (recall: Recall | undefined): string =>
  recall ? [recall["recall@1"], recall["recall@5"], recall["recall@10"]].map(percent).join(" / ") : "";

const percent = (fraction: number | undefined): string => (fraction === undefined ? "" : (100 * fraction).toFixed(2));

function meanAndDeviation(fractions: readonly number[]): string {
  const mean = fractions.reduce((sum, value) => sum + value, 0) / fractions.length;
  const squares = fractions.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  const deviation = fractions.length > 1 ? Math.sqrt(squares / (fractions.length - 1)) : 0;
  return `${percent(mean)} ± ${percent(deviation)}`;
}

function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [row(head), row(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...lines.map(row)].join("\n");
}
