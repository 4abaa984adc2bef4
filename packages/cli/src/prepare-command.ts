import type { Command } from "commander";
import type { Context } from "./context.ts";

/** `--json`, thrown errors and quiet error output for every command below. */
export function prepareCommand(command: Command, context: Context): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => context.output.result({ help: text }, text),
    writeErr: () => {}, // the caller prints the thrown error once
  });
  if (command.commands.length === 0) command.option("--json", "print exactly one JSON document on standard output");
  for (const child of command.commands) prepareCommand(child, context);
}
