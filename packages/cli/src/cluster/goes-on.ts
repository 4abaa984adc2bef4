import { CancelledError } from "@gmc/core";

/** Ctrl-C has ended a watch; the job goes on. */
export const goesOn = (id: string): CancelledError =>
  new CancelledError(`${id} goes on; follow it again with gmc watch ${id}, or end it with gmc cancel ${id}.`, {
    job: id,
  });
