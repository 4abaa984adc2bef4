import { Command } from "commander";
import { clusterHealthCommand } from "./commands/cluster-health.ts";
import type { Context } from "./context.ts";
import { prepareCommand } from "./prepare-command.ts";

/** `gmc cluster health` alone: it is called every few seconds, and need not load an engine. */
export function healthProgram(context: Context): Command {
  const program = new Command("gmc");
  program.addCommand(new Command("cluster").addCommand(clusterHealthCommand(context)));
  prepareCommand(program, context);
  return program;
}
