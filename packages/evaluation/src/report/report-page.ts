import { element, escapeText } from "../pictures/svg.ts";
import { facts } from "./fact-sections.ts";
import type { Html, Section } from "./html.ts";
import { figure, runName } from "./html.ts";
import { lossChart } from "./loss-chart.ts";
import type { ReportData, ReportRun } from "./report-data.ts";
import { alignments, missingModalities, parameters, runsTable } from "./result-sections.ts";
import { STYLE } from "./style.ts";

/** Nothing is fetched: the browser itself refuses it. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/**
 * One HTML page that needs nothing else: what was measured, curves, pictures, config and environment of one run or of several
 * side by side. A function of the data.
 *
 * @throws {RangeError} without a run
 */
export function reportPage(data: ReportData): Html {
  if (data.runs.length === 0) throw new RangeError("reportPage: runs holds one run or more, received none");
  const sections = sectionsOf(data.runs).filter(({ content }) => content !== "");
  const links = sections.map(({ id, title }) => element("a", { href: `#${id}` }, escapeText(title)));
  const header = element(
    "header",
    {},
    element("h1", {}, escapeText(data.title)),
    element("p", {}, escapeText(subtitle(data))),
    element("nav", {}, links.join(" ")),
  );
  const body = sections.map(({ id, title, content }) =>
    element("section", { id }, element("h2", {}, escapeText(title)), content),
  );
  const footer = element("footer", {}, "Made by <code>gmc report</code>. This page needs no network.");
  return [
    "<!doctype html>",
    '<html lang="en">',
    '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}"><link rel="icon" href="data:,">`,
    `<title>${escapeText(data.title)}</title><style>${STYLE}</style></head>`,
    `<body>${header}${element("main", {}, ...body)}${footer}</body></html>`,
    "",
  ].join("\n");
}

const sectionsOf = (runs: readonly ReportRun[]): Section[] => [
  { id: "runs", title: runs.length > 1 ? "Runs" : "Training", content: runsTable(runs) },
  { id: "missing", title: "Missing modalities", content: missingModalities(runs) },
  { id: "alignment", title: "Geometric alignment", content: alignments(runs) },
  { id: "pictures", title: "Codes in the plane", content: pictures(runs) },
  { id: "loss", title: "Loss", content: loss(runs) },
  { id: "parameters", title: "Parameters", content: parameters(runs) },
  { id: "config", title: "Configuration", content: facts(runs, ({ config }) => config) },
  { id: "environment", title: "Environment", content: facts(runs, ({ environment }) => environment) },
];

function subtitle({ createdAt, runs }: ReportData): string {
  const when = `${createdAt.slice(0, 10)} ${createdAt.slice(11, 16)} UTC`;
  return `${runs.map(({ folder }) => folder).join(", ")} · ${when}`;
}

function loss(runs: readonly ReportRun[]): Html {
  const chart = lossChart(runs);
  if (chart === undefined) return "";
  const validated = runs.some(({ losses }) => losses.some(({ validationLoss }) => validationLoss !== undefined));
  const caption = `Mean of each epoch at its end, with dots; single steps thin${validated ? ", validation dashed" : ""}.`;
  const legend = runs.length > 1 ? element("p", {}, runs.map((run) => runName(run, runs)).join(" &ensp; ")) : "";
  return legend + figure(chart, caption);
}

function pictures(runs: readonly ReportRun[]): Html {
  return runs
    .map((run, place) => {
      const whose = runs.length > 1 && run.pictures.length > 0 ? element("h3", {}, runName(run, runs)) : "";
      const shown = run.pictures.map(({ caption, svg }) => figure(svg, place === 0 ? caption : undefined)); // told once
      return whose + shown.join("");
    })
    .join("");
}
