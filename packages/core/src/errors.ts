/** JSON-safe facts about a failure, for programs. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * Base of every error of ours: `code` is for programs and never changes, `message` is for people and says what was
 * expected, what came and what to do. Across a thread or a socket send `{ code, message, details }`.
 */
export abstract class GmcError extends Error {
  abstract readonly code: string;
  readonly details: ErrorDetails;

  constructor(message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.details = details;
  }
}

/** A configuration value is missing, unknown or out of range; `details.path` names it. */
export class ConfigError extends GmcError {
  readonly code = "ERR_CONFIG";
}

/** A command was called in a way that cannot work: a missing argument, a folder that is not a run. */
export class UsageError extends GmcError {
  readonly code = "ERR_USAGE";
}

/** A data set or one of its source files is not what its reader expects; the message names file and place. */
export class DataError extends GmcError {
  readonly code = "ERR_DATA";
}

/** Two shapes that must agree do not. */
export class ShapeError extends GmcError {
  readonly code = "ERR_SHAPE";

  constructor(where: string, expected: readonly number[], received: readonly number[], options?: ErrorOptions) {
    super(`${where}: expected shape [${expected}], received [${received}].`, { where, expected, received }, options);
  }
}

/** A model does something that cannot be traced into a static graph; the message names the op and the way out. */
export class TraceError extends GmcError {
  readonly code = "ERR_TRACE";
}

/** A loss or a gradient is NaN or infinite; the step was not committed. */
export class NonFiniteError extends GmcError {
  readonly code = "ERR_NON_FINITE";
}

/** A checkpoint cannot be read, or belongs to another configuration or other data. */
export class CheckpointError extends GmcError {
  readonly code = "ERR_CHECKPOINT";
}

/** The caller's `AbortSignal` fired (Ctrl-C, a cancelled job); what was done so far is saved. */
export class CancelledError extends GmcError {
  readonly code = "ERR_CANCELLED";
}

/** Something the machine should provide is missing or too old: a native library, memory, disk. */
export class EnvironmentError extends GmcError {
  readonly code = "ERR_ENVIRONMENT";
}

/** A rank stopped answering inside a collective; the step can be retried without it. */
export class PeerLostError extends GmcError {
  readonly code = "ERR_PEER_LOST";

  constructor(rank: number, silentMs: number, options?: ErrorOptions) {
    const silent = Math.round(silentMs);
    super(
      `Rank ${rank} has been silent for ${silent} ms; raise cluster.timeoutMs if it is only slow.`,
      { rank, silentMs: silent },
      options,
    );
  }
}

/** What was sent belongs to a generation that is not the current one: the run goes on elsewhere, and nothing was changed. */
export class StaleGenerationError extends GmcError {
  readonly code = "ERR_STALE_GENERATION";

  /** @param current  id of the generation that is open now, or null where none is known */
  constructor(generation: string, current: string | null, options?: ErrorOptions) {
    super(
      `Generation ${generation} is over (${current === null ? "none is open" : `${current} is open`}): its writes are refused; join the run again.`,
      { generation, current },
      options,
    );
  }
}

/** Workers of a run have different weights after the same steps: one of them computes other bits. The run must not go on. */
export class DivergenceError extends GmcError {
  readonly code = "ERR_DIVERGENCE";
}
