import type { Logger } from "@gmc/core";
import { UsageError } from "@gmc/core";
import type { Override } from "@gmc/experiment";
import type { Output } from "./output.ts";
import type { Status } from "./status.ts";

/** What every command works with. */
export interface Context {
  readonly output: Output;
  readonly status: Status;
  readonly logger: Logger;
  /** The command line's `--section.key value` flags. */
  readonly overrides: readonly Override[];
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Sets an exit code other than 0 for a command that ends without an error. */
  exit(code: number): void;
}

/** @throws {UsageError} when config flags were given to a command that has no config */
export function refuseOverrides({ overrides }: Context, command: string): void {
  const [first] = overrides;
  if (first) throw new UsageError(`gmc ${command} takes no config flags, received --${first[0]}.`, { flag: first[0] });
}
