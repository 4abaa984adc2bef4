import { findRuns } from "@gmc/experiment";
import type { ExportedEvents } from "@gmc/jobs";
import { exportTensorboard } from "@gmc/jobs";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { grouped } from "../text-table.ts";

/** `gmc runs export RUN… --tensorboard DIR`: event files for the viewer that people know. */
export const runsExportCommand = (context: Context): Command =>
  new Command("export")
    .description("Write runs' losses, rates and results as TensorBoard event files; again replaces them.")
    .argument("<run...>", "folders of runs, or of sweeps")
    .requiredOption("--tensorboard <dir>", "the folder for TensorBoard's --logdir; each run gets a folder in it")
    .addHelpText("after", EXAMPLES)
    .action(async (paths: readonly string[], { tensorboard }: { readonly tensorboard: string }) => {
      refuseOverrides(context, "runs export");
      const exported: ExportedEvents[] = [];
      for (const run of await findRuns(paths)) exported.push(await exportTensorboard(run, tensorboard));
      const lines = exported.map(({ run, file, events }) => `${run}: ${grouped(events)} events in ${file}`);
      context.output.result({ exported }, `${lines.join("\n")}\nLook at them: tensorboard --logdir ${tensorboard}`);
    });

const EXAMPLES = `
Examples:
  gmc runs export runs/a runs/b --tensorboard board
  gmc runs export runs/demo-sweep --tensorboard board && tensorboard --logdir board
`;
