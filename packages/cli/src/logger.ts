import type { Logger } from "@gmc/core";
import pino from "pino";
import { fetchStatus } from "./fetching.ts";
import type { Status } from "./status.ts";

/**
 * Warnings as lines for people; with a level ("debug", "info", "warn") pino's JSON lines on standard error instead.
 *
 * @param level  from GMC_LOG; undefined: warnings for people only
 */
export function openLogger(level: string | undefined, status: Status): Logger {
  if (level !== undefined) {
    const lines = pino({ level }, pino.destination({ fd: 2, sync: true }));
    return {
      info: (event, fields = {}) => lines.info(fields, event),
      warn: (event, fields = {}) => lines.warn(fields, event),
    };
  }
  return {
    info: (event, fields = {}) => {
      if (event === "data.fetch") status.update(fetchStatus(fields)); // a download may take long
    },
    warn: (event, fields = {}) => status.note(`warning: ${event}${factsOf(fields)}`),
  };
}

const factsOf = (fields: Readonly<Record<string, unknown>>): string =>
  Object.entries(fields)
    .map(([name, value]) => `  ${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("");
