import { EnvironmentError } from "@gmc/core";

/** What INFO says about a server, as far as we mind. */
export interface ServerInfo {
  readonly version: string;
  /** Random id of the server process. */
  readonly runId: string;
  /** "standalone", "cluster" or "sentinel". */
  readonly mode: string;
  /** "master" or "slave". */
  readonly role: string;
  readonly maxmemoryPolicy: string;
  /** Is there an append-only file? */
  readonly appendOnly: boolean;
}

/** `control` holds queue, registry and commits; `reduce` the values of the step under way. */
export type ServerRole = "control" | "reduce";

const OLDEST = "7.0";

export async function readServerInfo(info: (section: string) => Promise<string>): Promise<ServerInfo> {
  const sections = await Promise.all(["server", "memory", "replication", "persistence"].map(info));
  const fields = new Map(sections.flatMap((text) => text.split("\r\n").map((line) => splitOnce(line, ":"))));
  return {
    version: fields.get("redis_version") ?? "unknown",
    runId: fields.get("run_id") ?? "unknown",
    mode: fields.get("redis_mode") ?? "standalone",
    role: fields.get("role") ?? "master",
    maxmemoryPolicy: fields.get("maxmemory_policy") ?? "noeviction",
    appendOnly: fields.get("aof_enabled") === "1",
  };
}

/**
 * Checks that a server can do its part.
 *
 * @param address  for the message
 * @returns  what is not as it should be but may stay so, as sentences
 * @throws {EnvironmentError} naming the setting to change
 */
export function checkServer(info: ServerInfo, role: ServerRole, address: string): readonly string[] {
  const refuse = (problem: string, setting: string) => {
    throw new EnvironmentError(`Redis at ${address} ${problem}`, { ...info, address, neededFor: role, setting });
  };
  if (!atLeast(info.version, OLDEST)) {
    refuse(`has version ${info.version}; ${OLDEST} or newer is needed. Install a newer redis-server.`, "version");
  }
  if (info.mode !== "standalone") {
    refuse(`runs as a ${info.mode}; name standalone servers (several for --reduce-redis).`, "cluster-enabled");
  }
  if (info.role !== "master") refuse("is a read-only replica; name its master.", "replicaof");
  if (info.maxmemoryPolicy !== "noeviction") {
    refuse(
      `may drop keys when its memory is full (maxmemory-policy ${info.maxmemoryPolicy}): set maxmemory-policy noeviction, in redis.conf or with CONFIG SET maxmemory-policy noeviction.`,
      "maxmemory-policy",
    );
  }
  if (role === "control" && !info.appendOnly) {
    return [
      `Redis at ${address} keeps no append-only file: a restart forgets queue and commits, and runs resume from their checkpoints. Set appendonly yes to keep them.`,
    ];
  }
  return [];
}

/** False for a version that is no number too. */
function atLeast(version: string, oldest: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split(".").map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

function splitOnce(line: string, separator: string): [string, string] {
  const at = line.indexOf(separator);
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
}
