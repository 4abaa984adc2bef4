import { compareSweeps, comparisonMarkdown, readSweepResult } from "@gmc/jobs";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";

/** `gmc sweep compare A B`: the same configurations, and the best ones, of two sweeps. */
export const sweepCompareCommand = (context: Context): Command =>
  new Command("compare")
    .description("Compare two sweeps: the configurations that both tried, and the best of each.")
    .argument("<a>", "a sweep's folder")
    .argument("<b>", "another one's")
    .addHelpText("after", "\nExamples:\n  gmc sweep compare runs/demo-sweep runs/other-sweep\n")
    .action(async (a: string, b: string) => {
      refuseOverrides(context, "sweep compare");
      const comparison = compareSweeps(await readSweepResult(a), await readSweepResult(b));
      context.output.result(comparison, comparisonMarkdown(comparison));
    });
