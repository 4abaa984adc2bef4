import type { ModalityAlignment } from "../align-modality.ts";
import type { AlignmentScore, AlignmentSpread } from "../alignment-table.ts";
import { ALIGNMENT_SCORES, alignmentSpread, spread } from "../alignment-table.ts";
import { element, escapeText } from "../pictures/svg.ts";
import type { Recall } from "../retrieval.ts";
import type { Cell, Html, Row } from "./html.ts";
import {
  bar,
  grouped,
  groupName,
  head,
  number,
  paragraph,
  runName,
  seedGroups,
  spreadCell,
  table,
  text,
} from "./html.ts";
import type { ReportRun } from "./report-data.ts";

/** How the runs were trained: one line a run. */
export function runsTable(runs: readonly ReportRun[]): Html {
  const columns = ["run", "seed", "status", "epochs", "steps", "last loss", "time", "samples/s", "weights sha256"];
  const rows = runs.map((run): Row => {
    const { training, seed, weightsSha256 } = run;
    const weights: Cell = { html: element("code", { title: weightsSha256 }, weightsSha256.slice(0, 12)) };
    const trained = training
      ? [
          number(training.status),
          number(grouped(training.epochs)),
          number(grouped(training.steps)),
          number(training.finalLoss?.toFixed(3) ?? ""),
          number(duration(training.wallSeconds)),
          number(grouped(Math.round(training.samplesPerSecond))),
        ]
      : [{ html: "not ended", columns: 6 }];
    return { cells: [{ html: runName(run, runs), kind: "head" }, number(String(seed)), ...trained, weights] };
  });
  return table(columns.map(head), rows);
}

/** Accuracy by what is present, one column a run; recalls where there are no labels. */
export function missingModalities(runs: readonly ReportRun[]): Html {
  const labelled = runs.filter(({ evaluation }) => evaluation?.accuracy);
  const unlabelled = runs.filter(({ evaluation }) => evaluation?.retrieval);
  return [labelled.length > 0 ? accuracies(labelled, runs) : "", ...unlabelled.map((run) => recalls(run, runs))].join(
    "",
  );
}

function accuracies(runs: readonly ReportRun[], all: readonly ReportRun[]): Html {
  const cases = [...new Set(runs.flatMap(({ evaluation }) => Object.keys(evaluation?.accuracy ?? {})))];
  const groups = seedGroups(runs);
  const accuracy = (run: ReportRun, name: string) => run.evaluation?.accuracy?.[name];
  const columns = [
    head("present"),
    ...runs.map((run): Cell => ({ html: all.length === 1 ? "accuracy" : runName(run, all), kind: "head" })),
    ...groups.map((group) => spreadCell(groupName(group, all))),
  ];
  const rows = cases.map(
    (name): Row => ({
      cells: [
        head(name),
        ...runs.map((run) => shareCell(accuracy(run, name), percent)),
        ...groups.map((group) =>
          spreadOf(
            group.map((run) => accuracy(run, name)),
            percent,
          ),
        ),
      ],
    }),
  );
  const samples = [...new Set(runs.map(({ evaluation }) => grouped(evaluation?.samples ?? 0)))].join(", ");
  return (
    paragraph(
      `A classifier learns from codes of complete samples, and is then given codes of the ${samples} test samples from a part of their modalities. Right answers in percent.`,
    ) + table(columns, rows)
  );
}

function recalls(run: ReportRun, all: readonly ReportRun[]): Html {
  const retrieval = run.evaluation?.retrieval ?? {};
  const names = Object.keys(retrieval);
  const rows = names.map(
    (from): Row => ({
      cells: [head(from), ...names.map((to) => number(recallText(retrieval[from]?.[to])))],
    }),
  );
  const title = all.length > 1 ? element("h3", {}, runName(run, all)) : "";
  const told = paragraph(
    `The data has no labels: a sample is looked for by its code from one modality among the codes from another. Found among the first 1 / 5 / 10 of ${grouped(run.evaluation?.samples ?? 0)}, in percent.`,
  );
  return title + told + table([head("from \\ to"), ...names.map(head)], rows);
}

/** Alignment scores: one line a modality and run. */
export function alignments(runs: readonly ReportRun[]): Html {
  const aligned = runs.filter(({ alignment }) => alignment);
  if (aligned.length === 0) return "";
  const names = [...new Set(aligned.flatMap(({ alignment }) => Object.keys(alignment?.modalities ?? {})))];
  const several = runs.length > 1;
  const columns = ["modality", ...(several ? ["run"] : []), ...ALIGNMENT_SCORES, "outliers", "codes"];
  const rows = names.flatMap((name) => rowsOfModality(name, aligned, runs));
  const headCells = columns.map((column) => (column === "run" ? text(column) : head(column)));
  return (
    paragraph(ALIGNMENT_TEXT) + table(headCells, rows, several ? "dense" : undefined) + settingsNotes(aligned, runs)
  );
}

const ALIGNMENT_TEXT =
  "Delaunay component analysis of each modality's codes against those of complete samples. Precision: share of the modality's codes in components that hold both kinds; recall: share of the complete codes in them; quality: share of edges that join the two kinds; score: their harmonic mean.";

function rowsOfModality(name: string, aligned: readonly ReportRun[], runs: readonly ReportRun[]): Row[] {
  const several = runs.length > 1;
  const groups = several ? seedGroups(aligned) : [];
  const spreads = groups.map((group) => ({
    title: groupName(group, runs),
    scores: alignmentSpread(group.flatMap(({ alignment }) => alignment ?? []))[name],
  }));
  const lines: Row[] = aligned.map((run) => ({
    cells: [
      ...(several ? [{ html: runName(run, runs), kind: "text" } as const] : []),
      ...scoreCells(run.alignment?.modalities[name]),
    ],
  }));
  const all = [...lines, ...spreads.map(({ title, scores }) => spreadRow(title, scores))];
  const title: Cell = { html: escapeText(name), kind: "head", ...(all.length > 1 && { rows: all.length }) };
  return all.map((row, i) => (i === 0 ? { kind: several ? "group" : undefined, cells: [title, ...row.cells] } : row));
}

function scoreCells(one: ModalityAlignment | undefined): Cell[] {
  if (!one) return [{ html: "not aligned", columns: ALIGNMENT_SCORES.length + 2 }];
  const scores = ALIGNMENT_SCORES.map((score) =>
    score === "score" ? bar(one.score, three(one.score)) : number(three(one[score])),
  );
  const outliers = one.outliers.reference + one.outliers.evaluated;
  return [...scores, number(grouped(outliers)), number(`${grouped(one.evaluatedPoints)}${one.eachOnce ? "*" : ""}`)];
}

function spreadRow(title: string, scores: AlignmentSpread[string] | undefined): Row {
  const cell = (score: AlignmentScore): Cell =>
    number(scores ? `${three(scores[score].mean)} ± ${three(scores[score].std)}` : "");
  return { kind: "spread", cells: [text(title), ...ALIGNMENT_SCORES.map(cell), { html: "", columns: 2 }] };
}

/** How the alignments were made, once for all runs that share it. */
function settingsNotes(aligned: readonly ReportRun[], runs: readonly ReportRun[]): Html {
  const notes = new Map<string, ReportRun[]>();
  for (const run of aligned) {
    const note = settingsOf(run);
    notes.set(note, [...(notes.get(note) ?? []), run]);
  }
  const lines = [...notes].map(([note, same]) => {
    const whose = same.length === runs.length ? "" : `${same.map(({ name }) => name).join(", ")}: `;
    return paragraph(`${whose}${note}`, "note");
  });
  return lines.join("");
}

function settingsOf({ alignment }: ReportRun): string {
  const { samples = 0, rays = 0, modalities = {} } = alignment ?? {};
  const once = Object.entries(modalities).flatMap(([name, { eachOnce }]) => (eachOnce ? [name] : []));
  const stars =
    once.length > 0
      ? ` * ${once.join(", ")}: few different codes, each compared once; so few can join few edges, and the quality stays low.`
      : "";
  return `${grouped(samples)} complete codes, ${grouped(rays)} lines a code.${stars}`;
}

/** Trained numbers part by part, one column a model. */
export function parameters(runs: readonly ReportRun[]): Html {
  const models = new Map<string, ReportRun[]>();
  for (const run of runs) {
    const key = JSON.stringify(run.parameters);
    models.set(key, [...(models.get(key) ?? []), run]);
  }
  const columns = [...models.values()];
  const parts = [...new Set(runs.flatMap((run) => run.parameters.parts.map(({ part }) => part)))];
  const of = ([run]: readonly ReportRun[], part: string): Cell => {
    const found = run?.parameters.parts.find((one) => one.part === part);
    return number(found ? grouped(found.parameters) : "");
  };
  const heads = columns.map(
    (same): Cell => ({
      html: columns.length === 1 ? "parameters" : same.map((run) => runName(run, runs)).join("<br>"),
      kind: "head",
    }),
  );
  const rows = parts.map((part): Row => ({ cells: [head(part), ...columns.map((same) => of(same, part))] }));
  const total: Row = {
    kind: "total",
    cells: [head("together"), ...columns.map(([run]) => number(grouped(run?.parameters.total ?? 0)))],
  };
  return table([head("part"), ...heads], [...rows, total]);
}

function shareCell(share: number | undefined, format: (share: number) => string): Cell {
  return share === undefined ? number("") : bar(share, format(share));
}

function spreadOf(values: readonly (number | undefined)[], format: (share: number) => string): Cell {
  const known = values.filter((value) => value !== undefined);
  if (known.length < values.length) return spreadCell("");
  const { mean, std } = spread(known);
  return spreadCell(`${format(mean)} ± ${format(std)}`);
}

const recallText = (recall: Recall | undefined): string =>
  recall ? [recall["recall@1"], recall["recall@5"], recall["recall@10"]].map(percent).join(" / ") : "";

const percent = (share: number): string => (100 * share).toFixed(2);
const three = (value: number): string => value.toFixed(3);

/** "1 h 4 min", "3 min 20 s", "8 s". */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}
