import { modelOfConfig, parseRunConfig } from "@gmc/experiment";
import { parameterTable } from "@gmc/models";
import { Command } from "commander";
import { readConfigFile } from "../config-file.ts";
import type { Context } from "../context.ts";
import { parameterText } from "../parameter-text.ts";

/** `gmc models [CONFIG]`: how many numbers each part of a model trains. */
export const modelsCommand = (context: Context): Command =>
  new Command("models")
    .description("Print the parameter table of a config's model, or of the preset mhd.")
    .argument("[config]", "a run's YAML; absent: the preset mhd")
    .option("--parameters", "the parameter table, part by part: what is printed without it too")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string | undefined) => {
      const config = file === undefined ? mhd(context) : await readConfigFile(file, context.overrides);
      const model = await modelOfConfig(config);
      const table = parameterTable(model);
      const modalities = model.modalities.join(", ");
      context.output.result(
        { modalities: model.modalities, ...table },
        `modalities: ${modalities}\n\n${parameterText(table)}`,
      );
    });

/** The paper's model on the paper's data, which need not be there. */
const mhd = (context: Context) =>
  parseRunConfig({ data: { path: "data/mhd" }, model: { preset: "mhd" } }, context.overrides);

const EXAMPLES = `
Examples:
  gmc models --parameters
  gmc models --parameters --model.commonDim 128 --model.latentDim 128
  gmc models --parameters examples/demo.yaml --data.path data/synth --json
`;
