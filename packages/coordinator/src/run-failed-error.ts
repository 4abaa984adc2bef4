import type { EncodedError } from "@gmc/core";

/** A run has failed for good; `error` says how. */
export class RunFailedError extends Error {
  readonly error: EncodedError;

  constructor(error: EncodedError) {
    super(error.message);
    this.name = "RunFailedError";
    this.error = error;
  }
}
