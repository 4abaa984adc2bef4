import { EnvironmentError } from "@gmc/core";
import type { Command } from "commander";
import { CommanderError } from "commander";
import type { Context } from "./context.ts";
import { doctorProgram } from "./doctor-program.ts";
import { describeFailure } from "./failure.ts";
import { splitFlags } from "./flags.ts";
import { listenForInterrupt } from "./interrupt.ts";
import { openLogger } from "./logger.ts";
import type { Streams } from "./output.ts";
import { openOutput } from "./output.ts";
import { openStatus } from "./status.ts";

/** What of the environment the command reads. */
export interface CliEnvironment {
  /** "debug", "info" or "warn": pino's lines on standard error, and stacks of unforeseen errors. */
  readonly GMC_LOG?: string | undefined;
}

/**
 * Runs one command line and gives its exit code: 0; 2 for the user's mistakes; 130 after Ctrl-C; 1 otherwise.
 *
 * @param argv  without node and script
 */
export async function runCli(argv: readonly string[], streams: Streams, environment: CliEnvironment): Promise<number> {
  const json = argv.includes("--json");
  const output = openOutput(streams, json);
  const status = openStatus(streams.stderr);
  const interrupt = listenForInterrupt((line) => status.note(line));
  let exitCode = 0;
  try {
    const { rest, overrides } = splitFlags(argv);
    const context: Context = {
      output,
      status,
      logger: openLogger(environment.GMC_LOG, status),
      overrides,
      signal: interrupt.signal,
      exit(code) {
        exitCode = code;
      },
    };
    const program = rest[0] === "doctor" ? doctorProgram(context) : await wholeProgram(context);
    await program.parseAsync(rest, { from: "user" });
    status.end();
    return exitCode === 130 ? (interrupt.exitCode() ?? 130) : exitCode;
  } catch (error) {
    status.end();
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // --help, --version
    const failure = describeFailure(error, environment.GMC_LOG === "debug");
    output.say(failure.text);
    if (json) output.result(failure.document, "");
    return failure.exitCode;
  } finally {
    interrupt.close();
  }
}

/** Everything is loaded here and not before, so that `gmc doctor` can say why it does not load. */
async function wholeProgram(context: Context): Promise<Command> {
  const { buildProgram } = await import("./program.ts").catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EnvironmentError(`gmc cannot start here: ${reason}. Run \`gmc doctor\`.`, {}, { cause });
  });
  return buildProgram(context);
}
