import { Command } from "commander";
import { alignCommand } from "./commands/align.ts";
import { configCommand } from "./commands/config.ts";
import { dataCommand } from "./commands/data.ts";
import { demoCommand } from "./commands/demo.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { encodeCommand } from "./commands/encode.ts";
import { evaluateCommand } from "./commands/evaluate.ts";
import { modelsCommand } from "./commands/models.ts";
import { reportCommand } from "./commands/report.ts";
import { trainCommand } from "./commands/train.ts";
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
    encodeCommand,
    demoCommand,
    configCommand,
    modelsCommand,
    dataCommand,
    doctorCommand,
  ];
  for (const command of commands) program.addCommand(command(context));
  prepareCommand(program, context);
  return program;
}

const EXAMPLES = `
Examples:
  gmc demo                                                      make data, train, evaluate: under three minutes
  gmc data synth --out data/synth --train 2000 --test 500       a small data set
  gmc train examples/demo.yaml --data.path data/synth --out runs/a
  gmc evaluate runs/a
  gmc align runs/a
  gmc report runs/a --out report.html
  gmc encode runs/a --split test --modalities image,sound --out codes.npy
`;
