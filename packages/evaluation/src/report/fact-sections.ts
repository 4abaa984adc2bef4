import { element, escapeText } from "../pictures/svg.ts";
import type { Cell, Html, Row } from "./html.ts";
import { head, runName, table, text } from "./html.ts";
import type { ReportRun } from "./report-data.ts";

/**
 * Nested plain data as tables of its leaves. One run: a small table a section. Several: one table with a column a run, in
 * which a value that all share stands once and rows that differ are marked.
 */
export function facts(runs: readonly ReportRun[], of: (run: ReportRun) => unknown): Html {
  const [first] = runs;
  if (runs.length === 1 && first) return oneRun(leavesOf(of(first)));
  return sideBySide(
    runs,
    runs.map((run) => new Map(leavesOf(of(run)))),
  );
}

type Leaf = readonly [path: string, value: string];

/** Leaves by dotted path; lists of numbers and words are one leaf, things in a list go by their name. */
export function leavesOf(value: unknown, prefix = ""): Leaf[] {
  const below = childrenOf(value);
  if (below === undefined) return [[prefix, leafText(value)]];
  return below.flatMap(([key, child]) => leavesOf(child, prefix === "" ? key : `${prefix}.${key}`));
}

function childrenOf(value: unknown): (readonly [string, unknown])[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!Array.isArray(value)) return Object.entries(value);
  if (value.every((item) => typeof item !== "object" || item === null)) return undefined;
  return value.map((item: unknown, i) => {
    if (!hasName(item)) return [String(i), item];
    const { name, ...rest } = item;
    return [name, rest];
  });
}

const hasName = (value: unknown): value is { readonly name: string } =>
  typeof value === "object" && value !== null && "name" in value && typeof value.name === "string";

const leafText = (value: unknown): string => (Array.isArray(value) ? value.map(String).join(", ") : String(value));

function oneRun(leaves: readonly Leaf[]): Html {
  const sections = [...sectionsOf(leaves.map(([path]) => path))].map(([name, paths]) => {
    const rows = leaves
      .filter(([path]) => paths.includes(path))
      .map(([path, value]): Row => ({ cells: [pathCell(within(path, name)), code(value)] }));
    return element("section", {}, element("h3", {}, escapeText(name)), table([], rows));
  });
  return element("div", { class: "facts" }, ...sections);
}

function sideBySide(runs: readonly ReportRun[], leaves: readonly ReadonlyMap<string, string>[]): Html {
  const paths = [...new Set(leaves.flatMap((one) => [...one.keys()]))];
  const rows = [...sectionsOf(paths)].flatMap(([name, inside]): Row[] => [
    { kind: "section", cells: [{ ...head(name), columns: runs.length + 1 }] },
    ...inside.map((path): Row => {
      const values = leaves.map((one) => one.get(path));
      const differs = new Set(values).size > 1;
      const cells = differs
        ? values.map((value) => code(value ?? "–"))
        : [{ ...code(values[0] ?? ""), columns: runs.length }];
      return { kind: differs ? "differs" : undefined, cells: [pathCell(within(path, name)), ...cells] };
    }),
  ]);
  const columns = [text(""), ...runs.map((run): Cell => ({ html: runName(run, runs), kind: "text" }))];
  return table(columns, rows, "facts-table");
}

/** Name of what lies at the top, not in a section. */
const GENERAL = "general";

/** Paths by their first name; what has no other name below it comes first. */
function sectionsOf(paths: readonly string[]): ReadonlyMap<string, string[]> {
  const sections = new Map<string, string[]>(paths.some((path) => !path.includes(".")) ? [[GENERAL, []]] : []);
  for (const path of paths) {
    const name = path.includes(".") ? (path.split(".")[0] ?? "") : GENERAL;
    sections.set(name, [...(sections.get(name) ?? []), path]);
  }
  return sections;
}

const within = (path: string, section: string): string =>
  path.startsWith(`${section}.`) ? path.slice(section.length + 1) : path;

const code = (value: string): Cell => ({ html: element("span", { class: "code" }, escapeText(value)), kind: "text" });

/** A dotted path that breaks after its dots where it must. */
const pathCell = (path: string): Cell => ({ html: escapeText(path).replaceAll(".", ".<wbr>"), kind: "head" });
