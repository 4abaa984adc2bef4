import { readFileSync } from "node:fs";
import { ConfigError } from "@gmc/core";

/** Where a Redis is and who we are there. */
export interface RedisAddress {
  /** A Unix socket, or host and port. */
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
  /** TLS with the system's authorities, or with `ca` (PEM) in their place. */
  readonly tls?: { readonly ca?: string };
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
}

const FORMS =
  "redis://[user:password@]host[:port][/db], rediss://… for TLS, or unix://[user:password@localhost]/path/to.sock[?db=n]";

/**
 * `redis://`, `rediss://` (with `?ca=FILE` for an authority of one's own) and `unix://` URLs; user and password are
 * percent-decoded, a password alone is `redis://:password@host`.
 *
 * @throws {ConfigError} that names the URL's faulty part, without the password
 */
export function parseRedisUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) throw new ConfigError(`A Redis URL is ${FORMS}; received one that is no URL.`, { path: "redis" });
  const common = { ...credentials(url), db: databaseOf(url) };
  switch (url.protocol) {
    case "unix:":
    case "redis+unix:":
      return { at: { path: pathOf(url) }, ...common };
    case "redis:":
      return { at: hostOf(url), ...common };
    case "rediss:":
      return { at: hostOf(url), tls: authorityOf(url), ...common };
    default:
      throw new ConfigError(`A Redis URL is ${FORMS}; received the scheme "${url.protocol}".`, { path: "redis" });
  }
}

/** The address for people and logs: without the password. */
export function describeAddress({ at, tls, username, db }: RedisAddress): string {
  const user = username === undefined ? "" : `${username}@`;
  const place = "path" in at ? `unix://${user}${at.path}` : `redis${tls ? "s" : ""}://${user}${at.host}:${at.port}`;
  if (db === 0) return place;
  return "path" in at ? `${place}?db=${db}` : `${place}/${db}`;
}

function credentials({ username, password }: URL): Pick<RedisAddress, "username" | "password"> {
  return {
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
  };
}

/** A URL has no room for a password without a host, so "localhost" may stand there. */
function pathOf({ hostname, pathname }: URL): string {
  if (hostname === "" || hostname === "localhost") return decodeURIComponent(pathname);
  throw new ConfigError(`A Redis URL is ${FORMS}; received the host "${hostname}" for a socket.`, { path: "redis" });
}

const hostOf = ({ hostname, port }: URL) => ({
  host: hostname.replace(/^\[|\]$/g, "") || "127.0.0.1",
  port: port === "" ? 6379 : Number(port),
});

function databaseOf({ protocol, pathname, searchParams }: URL): number {
  const text = protocol.includes("unix") ? (searchParams.get("db") ?? "") : pathname.replace(/^\//, "");
  if (text === "") return 0;
  const db = Number(text);
  if (Number.isSafeInteger(db) && db >= 0) return db;
  throw new ConfigError(`The database of a Redis URL is a number; received "${text}".`, { path: "redis" });
}

function authorityOf({ searchParams }: URL): { readonly ca?: string } {
  const file = searchParams.get("ca");
  if (file === null) return {};
  try {
    return { ca: readFileSync(file, "utf8") };
  } catch (cause) {
    throw new ConfigError(`The file of ?ca= in the Redis URL cannot be read: ${file}.`, { path: "redis" }, { cause });
  }
}
