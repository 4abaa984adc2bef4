import type { EncodedError } from "@gmc/core";

/** Errors that every worker would meet: the run has failed. Others are the trouble of one worker. */
const ENDS_THE_RUN: ReadonlySet<string> = new Set([
  "ERR_CONFIG",
  "ERR_USAGE",
  "ERR_CHECKPOINT",
  "ERR_NON_FINITE",
  "ERR_SHAPE",
  "ERR_TRACE",
  "ERR_DIVERGENCE",
]);

export const endsTheRun = ({ code }: EncodedError): boolean => ENDS_THE_RUN.has(code);
