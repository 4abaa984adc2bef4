import { classColours } from "../pictures/colours.ts";
import { element, escapeText } from "../pictures/svg.ts";
import type { ReportRun } from "./report-data.ts";

/** A piece of HTML. */
export type Html = string;

/** A part of the page with its anchor; nothing when it has no content. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly content: Html;
}

/** One table cell. */
export interface Cell {
  readonly html: Html;
  /** Default: a number, at the right. */
  readonly kind?: "head" | "text" | "bar" | "spread";
  /** Of a bar, from 0 to 1. */
  readonly share?: number;
  readonly columns?: number;
  readonly rows?: number;
}

/** A row, as its cells with the class of the row. */
export interface Row {
  readonly cells: readonly Cell[];
  readonly kind?: "group" | "total" | "spread" | "differs" | "section" | undefined;
}

/** A table that scrolls sideways where it is too wide. */
export function table(head: readonly Cell[], rows: readonly Row[], kind?: string): Html {
  const top =
    head.length === 0 ? "" : element("thead", {}, element("tr", {}, ...head.map((cell) => headCell(cell, "col"))));
  const body = element(
    "tbody",
    {},
    ...rows.map((row) => element("tr", { class: row.kind }, ...row.cells.map(bodyCell))),
  );
  return element("div", { class: "scroll" }, element("table", { class: kind }, top, body));
}

export const text = (content: string): Cell => ({ html: escapeText(content), kind: "text" });
export const head = (content: string): Cell => ({ html: escapeText(content), kind: "head" });
export const number = (content: string): Cell => ({ html: escapeText(content) });
export const spreadCell = (content: string): Cell => ({ html: escapeText(content), kind: "spread" });

/** A share from 0 to 1, with a bar behind its text. */
export const bar = (share: number, content: string): Cell => ({ html: escapeText(content), kind: "bar", share });

export const paragraph = (content: string, kind?: "note"): Html => element("p", { class: kind }, escapeText(content));

/** A figure that scrolls sideways on narrow screens. */
export const figure = (svg: string, caption?: string): Html =>
  element(
    "figure",
    {},
    element("div", { class: "scroll" }, svg),
    caption === undefined ? "" : element("figcaption", {}, escapeText(caption)),
  );

/** A run's name, with its colour where there are several. */
export function runName(run: ReportRun, runs: readonly ReportRun[]): Html {
  const chip =
    runs.length > 1 ? element("span", { class: "chip", style: `background:${colourOf(run, runs)}` }, "") : "";
  return element("span", { class: "run" }, chip, escapeText(run.name));
}

/** The colour of a run in the whole report. */
export const colourOf = (run: ReportRun, runs: readonly ReportRun[]): string =>
  classColours(runs.length)[runs.indexOf(run)] ?? "#4e79a7";

/** Runs that differ in their seed only, where there are two or more. */
export function seedGroups(runs: readonly ReportRun[]): (readonly ReportRun[])[] {
  const groups = new Map<string, ReportRun[]>();
  for (const run of runs) groups.set(run.group, [...(groups.get(run.group) ?? []), run]);
  return [...groups.values()].filter((group) => group.length > 1);
}

/** "mean ± std of 3 runs", or which ones where these are not all. */
export function groupName(group: readonly ReportRun[], runs: readonly ReportRun[]): string {
  const which = group.length === runs.length ? `${group.length} runs` : group.map(({ name }) => name).join(", ");
  return `mean ± std of ${which}`;
}

export const grouped = (count: number): string => count.toLocaleString("en-US");

function headCell({ html, kind, columns, rows }: Cell, scope: "col" | "row"): Html {
  const shown = kind === "text" || kind === "spread" ? kind : undefined;
  return element("th", { scope, class: shown, colspan: columns, rowspan: rows }, html);
}

function bodyCell(cell: Cell): Html {
  const { html, kind, share = 0, columns, rows } = cell;
  if (kind === "head") return headCell({ ...cell, kind: "text" }, "row");
  const style = kind === "bar" ? `--share:${(100 * share).toFixed(1)}%` : undefined;
  return element("td", { class: kind, style, colspan: columns, rowspan: rows }, html);
}
