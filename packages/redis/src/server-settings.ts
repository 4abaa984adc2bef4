import type { ServerRole } from "./server-info.ts";

/** Settings as redis.conf has them; a list gives several words. */
export type RedisSettings = Readonly<Record<string, string | readonly string[]>>;

/** Where a server listens. */
export type RedisPlace = { readonly path: string } | { readonly host: string; readonly port: number };

/** What a server of ours is started with. `settings` win. */
export function settingsOf({
  dir,
  role,
  place,
  password,
  settings = {},
}: {
  readonly dir: string;
  readonly role: ServerRole;
  readonly place: RedisPlace;
  readonly password?: string;
  readonly settings?: RedisSettings;
}): RedisSettings {
  const listens =
    "path" in place
      ? { port: "0", unixsocket: place.path, unixsocketperm: "700" }
      : { port: String(place.port), bind: place.host };
  return {
    ...listens,
    dir,
    daemonize: "no",
    save: "",
    appendonly: role === "control" ? "yes" : "no",
    "maxmemory-policy": "noeviction",
    ...(password && { requirepass: password }),
    ...settings,
  };
}

/** The text of a redis.conf. */
export const formatSettings = (settings: RedisSettings): string =>
  Object.entries(settings)
    .map(([name, value]) => `${[name, ...[value].flat().map(quoted)].join(" ")}\n`)
    .join("");

/** As redis.conf reads it: bytes as they are, beside what would end the word or the line. */
const quoted = (word: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be escaped
  `"${word.replaceAll(/[\u0000-\u001f"\\]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`)}"`;
