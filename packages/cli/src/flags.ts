import { UsageError } from "@gmc/core";
import type { Override } from "@gmc/experiment";

/** A command line with its config flags taken out. */
export interface SplitFlags {
  /** What commander parses. */
  readonly rest: readonly string[];
  /** `--training.batchSize 128` and `--training.batchSize=128` as `["training.batchSize", "128"]`, in order. */
  readonly overrides: readonly Override[];
}

/** A flag with a dot in its name is a config path; everything else belongs to the command. */
const CONFIG_FLAG = /^--([A-Za-z_][^=.]*(?:\.[^=]*)+)(?:=(.*))?$/s;

/** Splits a command line into config overrides and the rest. @throws {UsageError} when a config flag has no value */
export function splitFlags(argv: readonly string[]): SplitFlags {
  const rest: string[] = [];
  const overrides: Override[] = [];
  for (let i = 0; i < argv.length; i++) {
    const token = argv[i] ?? "";
    if (token === "--") return { rest: [...rest, ...argv.slice(i)], overrides };
    const [, path, inline] = CONFIG_FLAG.exec(token) ?? [];
    if (path === undefined) {
      rest.push(token);
      continue;
    }
    overrides.push([path, inline ?? valueAfter(argv, ++i, path)]);
  }
  return { rest, overrides };
}

function valueAfter(argv: readonly string[], index: number, path: string): string {
  const value = argv[index];
  if (value !== undefined && !value.startsWith("--")) return value;
  throw new UsageError(`--${path}: expected a value after the flag, received ${value ?? "nothing"}.`, { flag: path });
}
