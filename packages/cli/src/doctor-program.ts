import { Command } from "commander";
import { doctorCommand } from "./commands/doctor.ts";
import type { Context } from "./context.ts";
import { prepareCommand } from "./prepare-command.ts";

/** `gmc doctor` alone: loads nothing that could be missing. */
export function doctorProgram(context: Context): Command {
  const program = new Command("gmc").addCommand(doctorCommand(context));
  prepareCommand(program, context);
  return program;
}
