import { homedir } from "node:os";
import { join, resolve } from "node:path";

let chosen: string | undefined;

/** Makes `folder` the cache of this process from now on; the command line does it from GMC_CACHE. */
export function useCacheFolder(folder: string): void {
  chosen = resolve(folder);
}

/**
 * Folder for what can be fetched or computed again: the chosen one, else the user's. Anything below it may be deleted
 * while no process uses it.
 */
export const cacheFolder = (): string => chosen ?? join(systemCache(), "gmc");

function systemCache(): string {
  if (process.platform === "win32") return join(homedir(), "AppData", "Local");
  return process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
}
