import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { openRunFolder } from "@gmc/storage";

/**
 * The runs that paths name: a run's folder is itself, any other folder (a sweep's) the runs directly below it, by name.
 *
 * @throws {UsageError} for a path that is neither
 */
export async function findRuns(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) found.push(...((await isRun(path)) ? [path] : await runsBelow(path)));
  return [...new Set(found)];
}

async function runsBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  const runs: string[] = [];
  for (const folder of folders.sort()) if (await isRun(folder)) runs.push(folder);
  if (runs.length === 0) await openRunFolder(path); // throws, saying what is missing
  return runs;
}

const isRun = (path: string): Promise<boolean> =>
  openRunFolder(path).then(
    () => true,
    () => false,
  );
