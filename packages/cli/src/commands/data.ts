import { Command } from "commander";
import type { Context } from "../context.ts";
import { dataBuildCommand } from "./data-build.ts";
import { dataImportCommand } from "./data-import.ts";
import { dataInspectCommand } from "./data-inspect.ts";
import { dataServeCommand } from "./data-serve.ts";
import { dataSynthCommand } from "./data-synth.ts";

/** `gmc data …`: makes data sets, shows what is in one, serves one to other machines. */
export const dataCommand = (context: Context): Command =>
  new Command("data")
    .description("Make a data set: from nothing, from public sources, from your own files; look at one, serve one.")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES)
    .addCommand(dataSynthCommand(context))
    .addCommand(dataBuildCommand(context))
    .addCommand(dataImportCommand(context))
    .addCommand(dataInspectCommand(context))
    .addCommand(dataServeCommand(context));

const EXAMPLES = `
Examples:
  gmc data synth --out data/synth --train 2000 --test 500 --seed 1
  gmc data import examples/own-data/import.yaml --out data/own
  gmc data inspect data/synth
  gmc data serve data/synth --host 0.0.0.0
`;
