import type { AlignmentResult, ModalityAlignment } from "./align-modality.ts";

/** The columns of the paper's Table 2. */
export const ALIGNMENT_SCORES = ["precision", "recall", "quality", "consistency", "score"] as const;
export type AlignmentScore = (typeof ALIGNMENT_SCORES)[number];

/** Mean and sample standard deviation (n - 1; 0 for one value). */
export interface Spread {
  readonly mean: number;
  readonly std: number;
}

/** Scores of several runs, modality by modality. */
export type AlignmentSpread = Readonly<Record<string, Readonly<Record<AlignmentScore, Spread>>>>;

/** One run's alignments as Markdown, one line a modality. */
export function alignmentTable(result: AlignmentResult): string {
  const rows = Object.entries(result.modalities).map(([name, one]) => [
    name,
    ...ALIGNMENT_SCORES.map((score) => three(one[score])),
    String(one.evaluatedPoints),
  ]);
  const once = Object.entries(result.modalities).flatMap(([name, { eachOnce }]) => (eachOnce ? [name] : []));
  const note = once.length > 0 ? ` Few different codes, each judged once: ${once.join(", ")}.` : "";
  return `${markdown(["modality", ...ALIGNMENT_SCORES, "codes"], rows)}\n\nAgainst ${result.samples} complete codes of the test split, ${result.rays} lines a point, seed ${result.seed}.${note}`;
}

/** Alignments of several runs as Markdown: mean ± standard deviation, one line a modality. */
export function alignmentSpreadTable(results: readonly AlignmentResult[]): string {
  const rows = Object.entries(alignmentSpread(results)).map(([name, scores]) => [
    name,
    ...ALIGNMENT_SCORES.map((score) => spreadText(scores[score])),
  ]);
  return `${markdown(["modality", ...ALIGNMENT_SCORES], rows)}\n\nMean ± standard deviation of ${results.length} runs.`;
}

/** Scores of the modalities that every run has. */
export function alignmentSpread(results: readonly AlignmentResult[]): AlignmentSpread {
  const names = Object.keys(results[0]?.modalities ?? {}).filter((name) =>
    results.every(({ modalities }) => name in modalities),
  );
  return Object.fromEntries(
    names.map((name) => {
      const all = results.flatMap(({ modalities }) => modalities[name] ?? []);
      return [name, spreadsOf(all)];
    }),
  );
}

function spreadsOf(all: readonly ModalityAlignment[]): Readonly<Record<AlignmentScore, Spread>> {
  const of = (score: AlignmentScore) => spread(all.map((one) => one[score]));
  return {
    precision: of("precision"),
    recall: of("recall"),
    quality: of("quality"),
    consistency: of("consistency"),
    score: of("score"),
  };
}

/** @param values  one or more */
export function spread(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

const three = (value: number): string => value.toFixed(3);

const spreadText = ({ mean, std }: Spread): string => `${three(mean)} ± ${three(std)}`;

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
