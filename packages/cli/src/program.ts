import { Command } from "commander";
import { alignCommand } from "./commands/align.ts";
import { clusterCommand } from "./commands/cluster.ts";
import { configCommand } from "./commands/config.ts";
import { coordinatorCommand } from "./commands/coordinator.ts";
import { dataCommand } from "./commands/data.ts";
import { demoCommand } from "./commands/demo.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { encodeCommand } from "./commands/encode.ts";
import { evaluateCommand } from "./commands/evaluate.ts";
import { jobRequestCommands } from "./commands/job-requests.ts";
import { jobsCommand } from "./commands/jobs.ts";
import { keepClusterCommand } from "./commands/keep-cluster.ts";
import { logsCommand } from "./commands/logs.ts";
import { modelsCommand } from "./commands/models.ts";
import { reportCommand } from "./commands/report.ts";
import { resultsCommand } from "./commands/results.ts";
import { runsCommand } from "./commands/runs.ts";
import { statusCommand } from "./commands/status.ts";
import { submitCommand } from "./commands/submit.ts";
import { sweepCommand } from "./commands/sweep.ts";
import { trainCommand } from "./commands/train.ts";
import { watchCommand } from "./commands/watch.ts";
import { workerCommand } from "./commands/worker.ts";
import type { Context } from "./context.ts";
import { prepareCommand } from "./prepare-command.ts";
import { version } from "./version.ts";

/** The command tree, wired to a context. Errors are thrown, never printed; help goes to standard output. */
export function buildProgram(context: Context): Command {
  const program = new Command("gmc")
    .description("Trains and evaluates geometric multimodal contrastive representations.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES);
  const commands = [
    trainCommand,
    evaluateCommand,
    alignCommand,
    reportCommand,
    sweepCommand,
    runsCommand,
    encodeCommand,
    demoCommand,
    configCommand,
    modelsCommand,
    dataCommand,
    submitCommand,
    jobsCommand,
    statusCommand,
    watchCommand,
    logsCommand,
    resultsCommand,
    ...jobRequestCommands,
    clusterCommand,
    workerCommand,
    coordinatorCommand,
    doctorCommand,
  ];
  for (const command of commands) program.addCommand(command(context));
  program.addCommand(keepClusterCommand(context), { hidden: true });
  prepareCommand(program, context);
  return program;
}

const EXAMPLES = `
Examples:
  gmc demo                                                      make data, train, evaluate: under three minutes
  gmc data synth --out data/synth --train 2000 --test 500       a small data set
  gmc train examples/demo.yaml --data.path data/synth --out runs/a
  gmc train examples/demo.yaml --data.path data/synth --training.shards 4 --workers 2
  gmc evaluate runs/a
  gmc align runs/a
  gmc report runs/a --out report.html
  gmc encode runs/a --split test --modalities image,sound --out codes.npy
`;
