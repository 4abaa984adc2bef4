import { jobResult, writeSweep } from "@gmc/jobs";
import { Command } from "commander";
import { redisOption } from "../cluster/redis-options.ts";
import { withQueueOf } from "../cluster/with-queue.ts";
import type { Context } from "../context.ts";
import { resultText } from "../result-text.ts";

interface ResultsFlags {
  readonly redis?: string;
  readonly out?: string;
}

/** `gmc results JOB`: what a job ended with. */
export const resultsCommand = (context: Context): Command =>
  new Command("results")
    .description("Show what a job ended with: a run's record and evaluation, a sweep's table.")
    .argument("<job>", "its id")
    .addOption(redisOption())
    .option("--out <folder>", "write a sweep's table as Markdown, CSV, JSON, SVG and PNG into a folder")
    .addHelpText(
      "after",
      "\nExamples:\n  gmc results demo-1a2b3c4d\n  gmc results demo-sweep-1a2b3c4d --out runs/demo-sweep\n",
    )
    .action(async (id: string, { redis, out }: ResultsFlags) => {
      const ended = await withQueueOf(context, "results", redis, (queue) => jobResult(queue, id));
      const files =
        out !== undefined && ended.kind === "sweep" ? await writeSweep(out, ended.result, context.logger) : [];
      const kept = files.length > 0 ? `\n\nKept as ${files.join(", ")}` : "";
      context.output.result(ended.kind === "sweep" ? ended.result : ended.record, `${resultText(ended).trim()}${kept}`);
    });
