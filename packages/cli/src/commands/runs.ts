import type { RunFilter, StoredRun } from "@gmc/jobs";
import { listRuns, metricText, parseRunFilter, selectRuns } from "@gmc/jobs";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { grouped, textTable } from "../text-table.ts";
import { runsCompareCommand } from "./runs-compare.ts";
import { runsExportCommand } from "./runs-export.ts";

interface RunsFlags {
  readonly filter?: readonly RunFilter[];
  readonly sort?: string;
  readonly descending?: boolean;
}

/** `gmc runs [DIR]`: what has been trained. */
export const runsCommand = (context: Context): Command =>
  new Command("runs")
    .description("List runs, filter and sort them by config and results; compare them; export them to TensorBoard.")
    .argument("[dir]", "a folder with runs, also of sweeps, below it", "runs")
    .option(
      "--filter <condition>",
      "only runs with key=value; also != < <= > >=; may be repeated",
      (text, before: readonly RunFilter[] = []) => [...before, parseRunFilter(text)],
    )
    .option("--sort <key>", "by a path of the config or a metric, smallest first; default: by folder")
    .option("--descending", "largest first")
    .addHelpText("after", EXAMPLES)
    .addCommand(runsCompareCommand(context))
    .addCommand(runsExportCommand(context))
    .action(async (dir: string, { filter = [], sort, descending = false }: RunsFlags) => {
      refuseOverrides(context, "runs");
      const runs = selectRuns(await listRuns(dir), filter, { ...(sort !== undefined && { sort }), descending });
      context.output.result({ runs }, runs.length === 0 ? `No such run below ${dir}.` : tableOf(runs));
    });

function tableOf(runs: readonly StoredRun[]): string {
  const judged = ["accuracy.complete", "finalLoss", "wallSeconds"];
  const rows = runs.map(({ run, status, startedAt, steps, metrics, config, problem }) => [
    run,
    problem === undefined ? status : `${status}: ${problem}`,
    startedAt.slice(0, 16).replace("T", " "),
    String(config?.seed ?? ""),
    steps === undefined ? "" : grouped(steps),
    ...judged.map((name) => (metrics[name] === undefined ? "" : metricText(name, metrics[name]))),
  ]);
  return textTable([["run", "status", "began (UTC)", "seed", "steps", "accuracy (%)", "loss", "seconds"], ...rows]);
}

const EXAMPLES = `
Keys: status, name, steps, commit, a metric (accuracy.image, finalLoss), or a path of the config (training.batchSize).

Examples:
  gmc runs
  gmc runs runs/demo-sweep --filter status=finished --sort accuracy.complete --descending
  gmc runs --filter training.optimizer.learningRate=1e-3 --filter "accuracy.sound>=0.9" --json
  gmc runs compare runs/a runs/b
  gmc runs export runs/demo-sweep --tensorboard board
`;
