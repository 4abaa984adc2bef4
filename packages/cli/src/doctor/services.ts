import type { Finding } from "./finding.ts";
import { firstLine } from "./finding.ts";
import { outputOf } from "./machine.ts";

const OLDEST_MAJOR = 7;
const HOW_TO_GET_IT =
  "Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis; or name one that runs (--redis URL).";

/** The redis-server that `gmc train --workers` would start; training with one process needs none. */
export async function redisServerFinding(): Promise<Finding> {
  const common = { name: "redis-server", ok: true, needed: false };
  const { output, error } = await outputOf("redis-server", ["--version"]);
  const version = /v=(\S+)/.exec(output)?.[1];
  if (error || version === undefined) {
    const found = "none on the PATH; only gmc train --workers and gmc cluster need one";
    return { ...common, absent: true, found, advice: HOW_TO_GET_IT };
  }
  if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return { ...common, found: version };
  return { ...common, ok: false, found: `${version}; expected ${OLDEST_MAJOR}.0 or newer`, advice: HOW_TO_GET_IT };
}

/** A server that the cluster is to use: reached, and fit for it. */
export async function redisFinding(url: string): Promise<Finding> {
  const common = { name: "Redis", needed: true };
  try {
    const { describeAddress, openServer, parseRedisUrl } = await import("@gmc/redis");
    const remarks: string[] = [];
    const warn = (_event: string, fields?: Readonly<Record<string, unknown>>) =>
      remarks.push(String(fields?.remark ?? ""));
    const logger = { debug() {}, info() {}, warn, error() {} };
    const connection = await openServer(url, "control", { connectTimeoutMs: 5000, logger });
    const { version } = await connection.serverInfo();
    connection.close();
    const found = [`${version} at ${describeAddress(parseRedisUrl(url))}`, ...remarks].join("; ");
    return { ...common, ok: true, found };
  } catch (error) {
    return { ...common, ok: false, found: firstLine(error), advice: "Start it, or name another (--redis URL)." };
  }
}
