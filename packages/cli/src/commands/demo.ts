import { join } from "node:path";
import { synthesiseDigits } from "@gmc/data";
import { evaluateFolder, parseRunConfig, trainRun } from "@gmc/experiment";
import { exists } from "@gmc/storage";
import { Command } from "commander";
import { defaultRunFolder } from "../config-file.ts";
import type { Context } from "../context.ts";
import { DEMO_CONFIG } from "../demo-config.ts";
import { showProgress } from "../progress.ts";
import { duration } from "../status.ts";
import { grouped } from "../text-table.ts";

const SAMPLES = { train: 2000, test: 500, seed: 1 };

/** `gmc demo`: everything once, small: data, training, the missing-modality table. */
export const demoCommand = (context: Context): Command =>
  new Command("demo")
    .description("Make a small digits data set, train on it, print the missing-modality table: under three minutes.")
    .option("--out <run>", "the run's folder; default: runs/demo-<time>")
    .addHelpText("after", "\nExamples:\n  gmc demo\n  gmc demo --out runs/first --training.epochs 2\n")
    .action((options: { out?: string }) => demo(context, options.out));

async function demo(context: Context, wantedRun: string | undefined): Promise<void> {
  const { output, signal, logger, status } = context;
  const onProgress = showProgress(status);
  const path = await demoData(context);
  const config = parseRunConfig(DEMO_CONFIG, [["data.path", path], ...context.overrides]);
  const run = wantedRun ?? defaultRunFolder(config, "demo", new Date());
  output.say(
    `Training on ${grouped(SAMPLES.train)} digits, each seen as an image, heard, and drawn (${config.training.epochs} epochs) ...`,
  );
  const record = await trainRun({ config, out: run, signal, logger, onProgress });
  status.end();
  if (record.status === "stopped") {
    context.exit(130);
    output.say(`Stopped; a checkpoint is in ${run}. Go on with: gmc train --resume --out ${run}`);
    output.result({ ...record, data: path }, "");
    return;
  }
  output.say(
    "Evaluating: a classifier learns from the codes of complete samples and is then tested with modalities missing ...",
  );
  const { result, markdown } = await evaluateFolder({ run, signal, logger, onProgress });
  status.end();
  output.result({ ...record, data: path, evaluation: result }, demoText(markdown, run, path, record.wallSeconds));
}

/** The demo's data set below runs/, made once. */
async function demoData({ output, signal }: Context): Promise<string> {
  const path = join("runs", "demo-data");
  if (await exists(join(path, "manifest.json"))) {
    output.say(`Using the data set in ${path}.`);
    return path;
  }
  output.say(`Making a data set of ${grouped(SAMPLES.train + SAMPLES.test)} synthetic digits in ${path} ...`);
  await synthesiseDigits({ out: path, ...SAMPLES, signal });
  return path;
}

const demoText = (markdown: string, run: string, data: string, seconds: number): string => {
  const next = [
    [`gmc evaluate ${run} --subsets image,sound`, "more subsets of modalities"],
    [`gmc report ${run} --rays 1000`, "one page: tables, alignment, pictures, curves"],
    [`gmc encode ${run} --modalities image --out codes.npy`, "codes, for your own use"],
    ["gmc train examples/mhd.yaml --data.path DIR", "the paper's experiment"],
    ["examples/own-data/README.md", "your own data"],
  ] as const;
  const width = Math.max(...next.map(([command]) => command.length));
  return [
    markdown.trim(),
    "",
    `Trained in ${duration(seconds)}. The run is in ${run}, its data in ${data}. What to do next:`,
    ...next.map(([command, what]) => `  ${command.padEnd(width)}  ${what}`),
  ].join("\n");
};
