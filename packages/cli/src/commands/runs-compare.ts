import type { RunComparison } from "@gmc/jobs";
import { compareRuns, metricText, readStoredRun } from "@gmc/jobs";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { textTable } from "../text-table.ts";

/** `gmc runs compare A B…`: what differs in configs and results. */
export const runsCompareCommand = (context: Context): Command =>
  new Command("compare")
    .description("Show what differs between runs: values of their configs, and all metrics side by side.")
    .argument("<a>", "a run's folder")
    .argument("<b...>", "others")
    .addHelpText("after", "\nExamples:\n  gmc runs compare runs/a runs/b\n")
    .action(async (a: string, others: readonly string[]) => {
      refuseOverrides(context, "runs compare");
      const runs = await Promise.all([a, ...others].map((run) => readStoredRun(run)));
      const comparison = compareRuns(runs);
      context.output.result(comparison, textOf(comparison));
    });

function textOf({ runs, differences, metrics, sameWeights }: RunComparison): string {
  const rows = [
    ...differences.map(({ path, values }) => [path, ...values.map(shown)]),
    ...metrics.map(({ name, values }) => [
      name,
      ...values.map((value) => (value === null ? "" : metricText(name, value))),
    ]),
  ];
  const weights = sameWeights ? "The weights are the same, bit by bit." : "The weights differ.";
  return `${textTable([["", ...runs], ...rows])}\n\n${weights}`;
}

const shown = (value: unknown): string =>
  value === null ? "" : typeof value === "string" ? value.slice(0, 40) : JSON.stringify(value).slice(0, 40);
