import { join } from "node:path";
import type { DatasetSummary } from "@gmc/data";
import { contactSheet, inspectDataset, isDatasetUrl, openDataset } from "@gmc/data";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { showFetching } from "../fetching.ts";
import { byteSize, grouped, textTable } from "../text-table.ts";

/** `gmc data inspect DIR|URL`: what a data set holds, in words and in a picture. */
export const dataInspectCommand = (context: Context): Command =>
  new Command("inspect")
    .description("Print a summary of a data set and write a contact sheet, a PNG with samples of every class.")
    .argument("<dir>", "the data set's folder or URL")
    .option(
      "--sheet <file>",
      "where the contact sheet goes; default: contact-sheet.png in the data set's folder, of a URL here",
    )
    .option("--no-sheet", "write no contact sheet")
    .addHelpText(
      "after",
      "\nExamples:\n  gmc data inspect data/synth\n  gmc data inspect data/synth --sheet sheet.png --json\n  gmc data inspect http://that-machine:8765/ --no-sheet\n",
    )
    .action(async (path: string, options: { sheet?: string | boolean }) => {
      refuseOverrides(context, "data inspect");
      const access = { signal: context.signal, logger: context.logger, onProgress: showFetching(context) };
      const summary = await inspectDataset(path, access);
      const sheet = await writeSheet(path, options.sheet);
      context.status.end();
      const text = summaryText(summary) + (sheet === undefined ? "" : `\n\nContact sheet: ${sheet}`);
      context.output.result({ ...summary, ...(sheet === undefined ? {} : { contactSheet: sheet }) }, text);
    });

async function writeSheet(path: string, wanted: string | boolean | undefined): Promise<string | undefined> {
  if (wanted === false) return undefined;
  const out =
    typeof wanted === "string" ? wanted : isDatasetUrl(path) ? "contact-sheet.png" : join(path, "contact-sheet.png");
  const dataset = await openDataset(path);
  try {
    await contactSheet(dataset, out);
    return out;
  } finally {
    await dataset.close();
  }
}

function summaryText({ name, path, bytes, sha256, modalities, splits, classes }: DatasetSummary): string {
  const numbers = (values: readonly number[]) => values.map((value) => value.toPrecision(3));
  const modalityRows = modalities.map(({ name: modality, kind, shape, dtype, statistics }) => [
    modality,
    kind,
    shape.join(" × "),
    dtype ?? "",
    ...(statistics ? numbers([statistics.mean, statistics.std, statistics.min, statistics.max]) : ["", "", "", ""]),
  ]);
  const splitRows = splits.map((split) => [split.name, grouped(split.samples), byteSize(split.bytes)]);
  const names = splits.map((split) => split.name);
  const classRows = classes?.map((entry) => [entry.name, ...names.map((split) => grouped(entry.samples[split] ?? 0))]);
  return [
    `${name}, ${byteSize(bytes)} in ${path}\nsha256 ${sha256}`,
    textTable([["modality", "kind", "shape", "stored as", "mean", "std", "min", "max"], ...modalityRows]),
    textTable([["split", "samples", "size"], ...splitRows]),
    classRows
      ? textTable([["class", ...names], ...classRows])
      : "No labels: training and encoding work; evaluation measures retrieval.",
  ].join("\n\n");
}
