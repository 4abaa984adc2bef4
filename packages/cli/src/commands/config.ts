import type { MemoryEstimate, RunConfig } from "@gmc/experiment";
import { configSha256, estimateRunMemory, formatRunConfig, modelOfConfig } from "@gmc/experiment";
import type { ParameterTable } from "@gmc/models";
import { parameterTable } from "@gmc/models";
import { Command } from "commander";
import { readConfigFile } from "../config-file.ts";
import type { Context } from "../context.ts";
import { fieldHelp } from "../field-help.ts";
import { parameterText } from "../parameter-text.ts";
import { byteSize, textTable } from "../text-table.ts";

/** `gmc config FILE`: what a run would do, without doing it. */
export const configCommand = (context: Context): Command =>
  new Command("config")
    .description("Print the effective configuration, the model's parameters and the memory it will need.")
    .argument("<config>", "the run's YAML")
    .addHelpText("after", () => `${EXAMPLES}\n${fieldHelp()}`)
    .action(async (file: string) => {
      const config = await readConfigFile(file, context.overrides);
      const model = await modelOfConfig(config);
      const parameters = parameterTable(model);
      const memory = estimateRunMemory(config, model);
      const document = { config, configSha256: configSha256(config), parameters, memory };
      context.output.result(document, configText(config, parameters, memory));
    });

function configText(config: RunConfig, parameters: ParameterTable, memory: MemoryEstimate): string {
  const rows = memory.parts.map(({ what, bytes }) => [what, byteSize(bytes)]);
  const table = textTable([["memory", "about"], ...rows, ["together", byteSize(memory.bytes)]]);
  const comment = [parameterText(parameters), "", table, "", `config sha256 ${configSha256(config)}`].join("\n");
  return `${formatRunConfig(config)}\n${comment.replaceAll(/^/gm, "# ").replaceAll(/ +$/gm, "")}`;
}

const EXAMPLES = `
What is printed is a valid config again: gmc config a.yaml --seed 3 > b.yaml

Examples:
  gmc config examples/demo.yaml --data.path data/synth
  gmc config examples/mhd.yaml --training.batchSize 128 --json
`;
