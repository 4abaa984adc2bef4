import type { Logger } from "@gmc/core";
import { jobNames } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { BoundedLog } from "@gmc/redis";

/** Lines of a run that the queue keeps. */
const KEPT = 2000;

/** A logger of one run: what it is told goes to the process's log, and to the job's in the queue, each line with its place. */
export interface RunLogger extends Logger {
  /** Settles when the queue has what was written. */
  flush(): Promise<unknown>;
}

/** @param place  where the run is when a line is written: run, worker, rank, step */
export function openRunLogger(
  base: Logger,
  control: RedisConnection,
  run: string,
  place: () => Readonly<Record<string, unknown>>,
): RunLogger {
  const log = new BoundedLog(control, { owner: jobNames.job(run), list: jobNames.logs(run), most: KEPT });
  const tell = (level: "info" | "warn", event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const all = { ...place(), ...fields };
    base[level](event, all);
    log.write(JSON.stringify({ time: new Date().toISOString(), level, event, ...all }));
  };
  return {
    info: (event, fields) => tell("info", event, fields),
    warn: (event, fields) => tell("warn", event, fields),
    flush: () => log.flush(),
  };
}
