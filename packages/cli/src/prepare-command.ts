import type { Command } from "commander";
import type { Context } from "./context.ts";

/** `--json`, thrown errors and quiet error output for every command below. */
export function prepareCommand(command: Command, context: Context): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => context.output.result({ help: text }, text),
    writeErr: (text) => {
      if (text.startsWith("Usage:")) context.output.say(text); // errors are thrown too, and printed once by the caller
    },
  });
  command.option("--json", "print exactly one JSON document on standard output");
  for (const child of command.commands) prepareCommand(child, context);
}
