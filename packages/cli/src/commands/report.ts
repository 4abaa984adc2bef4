import { join } from "node:path";
import { UsageError } from "@gmc/core";
import type { PictureMethod } from "@gmc/experiment";
import { findRuns, reportRuns } from "@gmc/experiment";
import { Command, Option } from "commander";
import type { AlignmentFlags } from "../alignment-flags.ts";
import { addAlignmentFlags, alignmentOverrides } from "../alignment-flags.ts";
import type { Context } from "../context.ts";
import { integer } from "../options.ts";
import { showProgress } from "../progress.ts";

interface ReportOptions extends AlignmentFlags {
  readonly out?: string;
  readonly title?: string;
  readonly pictures: "umap,pca" | "umap" | "pca" | "none";
  readonly points?: number;
  readonly outliers: "pale" | "hide" | "same";
}

/** `gmc report RUN…`: one page with everything about some runs. */
export const reportCommand = (context: Context): Command =>
  addAlignmentFlags(new Command("report"))
    .description(
      "Make one self-contained HTML page about runs: tables, curves, pictures, config; measures what is missing.",
    )
    .argument("<run...>", "folders of runs, or of a sweep")
    .option("--out <file>", "the page; default for one run: report.html in its reports")
    .option("--title <text>", "the page's title")
    .addOption(
      new Option("--pictures <which>", "pictures of the codes")
        .choices(["umap,pca", "umap", "pca", "none"])
        .default("umap,pca"),
    )
    .option("--points <n>", "codes of a kind in a picture at most; default: 2,000", integer(1))
    .addOption(
      new Option("--outliers <how>", "how pictures show codes in no component")
        .choices(["pale", "hide", "same"])
        .default("pale"),
    )
    .addHelpText("after", EXAMPLES)
    .action((paths: string[], options: ReportOptions) => report(context, paths, options));

async function report(context: Context, paths: readonly string[], options: ReportOptions): Promise<void> {
  const { output, status, signal, logger } = context;
  const runs = await findRuns(paths);
  const out = options.out ?? defaultPage(runs);
  const { points, title, outliers } = options;
  const { data } = await reportRuns({
    runs,
    out,
    overrides: [...context.overrides, ...alignmentOverrides(options)],
    pictures: options.pictures === "none" ? [] : (options.pictures.split(",") as PictureMethod[]),
    outliers,
    ...(points !== undefined && { points }),
    ...(title !== undefined && { title }),
    ...(options.fresh && { fresh: true }),
    signal,
    logger,
    onProgress: showProgress(status),
  });
  status.end();
  const document = {
    out,
    runs: data.runs.map(({ name, folder, seed, weightsSha256, evaluation, alignment, parameters }) => ({
      ...{ name, folder, seed, weightsSha256, evaluation, alignment, parameters },
    })),
  };
  output.result(document, `The report on ${data.runs.map(({ folder }) => folder).join(", ")} is ${out}`);
}

/** @throws {UsageError} for several runs: none of them is the place for a page about all */
function defaultPage(runs: readonly string[]): string {
  const [run] = runs;
  if (run !== undefined && runs.length === 1) return join(run, "reports", "report.html");
  throw new UsageError(`A report on ${runs.length} runs needs a place: --out report.html.`);
}

const EXAMPLES = `
Examples:
  gmc report runs/a
  gmc report runs/a runs/b --out report.html --title "Two temperatures"
  gmc report runs/a --rays 1000 --samples 2000 --out quick.html
`;
