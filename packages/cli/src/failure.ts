import { CancelledError, CheckpointError, ConfigError, DataError, GmcError, UsageError } from "@gmc/core";
import { CommanderError } from "commander";

/** What a failed command tells: its exit code, one document for programs, one line for people. */
export interface Failure {
  /** 2 the user's mistake, 130 stopped from outside, 1 everything else. */
  readonly exitCode: number;
  readonly document: {
    readonly error: { readonly code: string; readonly message: string; readonly details: unknown };
  };
  readonly text: string;
}

const MISTAKES = [ConfigError, UsageError, DataError, CheckpointError];

/** @param verbose  shows the stack of errors that nobody foresaw */
export function describeFailure(error: unknown, verbose: boolean): Failure {
  if (error instanceof GmcError) {
    const exitCode = error instanceof CancelledError ? 130 : MISTAKES.some((type) => error instanceof type) ? 2 : 1;
    return failure(exitCode, error.code, error.message, error.details, `gmc: ${error.message}`);
  }
  if (error instanceof CommanderError) {
    const message =
      error.code === "commander.help"
        ? "name one of the commands above."
        : error.message.replace(/^error: /, "").replaceAll("\n", " ");
    return failure(2, "ERR_USAGE", message, { reason: error.code }, `gmc: ${message}`);
  }
  const message = error instanceof Error ? error.message : String(error);
  if (isFileError(error)) return failure(2, "ERR_USAGE", message, { code: error.code }, `gmc: ${message}`);
  const text = `gmc: ${verbose && error instanceof Error ? error.stack : `${message} (run again with GMC_LOG=debug for the stack)`}`;
  return failure(1, "ERR_UNEXPECTED", message, {}, text);
}

const failure = (exitCode: number, code: string, message: string, details: unknown, text: string): Failure => ({
  exitCode,
  document: { error: { code, message, details } },
  text,
});

/** A path the user gave that is not there or may not be used. */
const isFileError = (error: unknown): error is Error & { code: string } =>
  error instanceof Error &&
  "syscall" in error &&
  "path" in error &&
  "code" in error &&
  ["ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "EEXIST"].includes(String(error.code));
