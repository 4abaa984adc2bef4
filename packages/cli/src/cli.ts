import { join } from "node:path";
import { EnvironmentError } from "@gmc/core";
import type { Command } from "commander";
import { CommanderError } from "commander";
import type { Context } from "./context.ts";
import { doctorProgram } from "./doctor-program.ts";
import { describeFailure } from "./failure.ts";
import { splitFlags } from "./flags.ts";
import { healthProgram } from "./health-program.ts";
import { listenForInterrupt } from "./interrupt.ts";
import { openLogger } from "./logger.ts";
import type { Streams } from "./output.ts";
import { openOutput } from "./output.ts";
import { openStatus } from "./status.ts";

/** What of the environment the command reads. */
export interface CliEnvironment {
  /** "debug", "info" or "warn": pino's lines on standard error, and stacks of unforeseen errors. */
  readonly GMC_LOG?: string | undefined;
  /** Folder for fetched data sets and remembered sums; default: gmc in the user's cache folder. */
  readonly GMC_CACHE?: string | undefined;
  /** The user's cache folder, where it is not the system's usual one. */
  readonly XDG_CACHE_HOME?: string | undefined;
  /** engine.kind and engine.device where a config names none: what an image is made for. */
  readonly GMC_ENGINE_KIND?: string | undefined;
  readonly GMC_ENGINE_DEVICE?: string | undefined;
}

/** What runs until it is stopped: its standard error is a log. */
const SERVICES = new Set(["worker", "coordinator", "keep-cluster"]);

/**
 * Runs one command line and gives its exit code: 0; 2 for the user's mistakes; 130 after Ctrl-C; 1 otherwise.
 *
 * @param argv  without node and script
 */
export async function runCli(argv: readonly string[], streams: Streams, environment: CliEnvironment): Promise<number> {
  const json = argv.includes("--json");
  const output = openOutput(streams, json);
  const status = openStatus(streams.stderr);
  const service = SERVICES.has(argv[0] ?? "");
  const logger = openLogger(environment.GMC_LOG ?? (service ? "info" : undefined), status);
  const interrupt = listenForInterrupt((line) => (service ? logger.info("process.interrupted") : status.note(line)));
  let exitCode = 0;
  try {
    const { rest, overrides } = splitFlags(argv);
    const context: Context = {
      output,
      status,
      logger,
      overrides,
      signal: interrupt.signal,
      exit(code) {
        exitCode = code;
      },
    };
    const program = await programFor(rest, context, environment);
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

function programFor(
  [first, second]: readonly string[],
  context: Context,
  environment: CliEnvironment,
): Command | Promise<Command> {
  if (first === "doctor") return applyEngineDefaults(environment).then(() => doctorProgram(context));
  return first === "cluster" && second === "health" ? healthProgram(context) : wholeProgram(context, environment);
}

/** Everything is loaded here and not before, so that `gmc doctor` can say why it does not load. */
async function wholeProgram(context: Context, environment: CliEnvironment): Promise<Command> {
  const { buildProgram } = await import("./program.ts").catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EnvironmentError(`gmc cannot start here: ${reason}. Run \`gmc doctor\`.`, {}, { cause });
  });
  const { GMC_CACHE, XDG_CACHE_HOME } = environment;
  const { useCacheFolder } = await import("@gmc/storage");
  if (GMC_CACHE) useCacheFolder(GMC_CACHE);
  else if (XDG_CACHE_HOME) useCacheFolder(join(XDG_CACHE_HOME, "gmc"));
  await applyEngineDefaults(environment);
  return buildProgram(context);
}

async function applyEngineDefaults({ GMC_ENGINE_KIND, GMC_ENGINE_DEVICE }: CliEnvironment): Promise<void> {
  if (!GMC_ENGINE_KIND && !GMC_ENGINE_DEVICE) return;
  const { useEngineDefaults } = await import("@gmc/engine");
  useEngineDefaults({
    ...(GMC_ENGINE_KIND && { kind: GMC_ENGINE_KIND }),
    ...(GMC_ENGINE_DEVICE && { device: GMC_ENGINE_DEVICE }),
  });
}
