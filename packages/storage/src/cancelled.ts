import { CancelledError } from "@gmc/core";

/** What to throw when the signal fired: its reason where that is one of ours, else a CancelledError with it as cause. */
export const cancelled = (signal: AbortSignal): CancelledError =>
  signal.reason instanceof CancelledError
    ? signal.reason
    : new CancelledError("The transfer was cancelled.", {}, { cause: signal.reason });
