import { readFileSync } from "node:fs";
import { readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "@gmc/core";

/** What `gmc cluster up` leaves in its folder for the other commands. Only this user may read it: the URL has the password. */
export interface ClusterFile {
  /** Of the process that keeps the cluster. */
  readonly pid: number;
  readonly redis: string;
  readonly workers: number;
  readonly threads: number;
}

/** `running`: its keeper touched the file a moment ago. `silent`: its process is there but does not. `gone`: neither. */
export type ClusterState = "running" | "silent" | "gone";

const TOUCH_MS = 1000;
const SILENT_MS = 5000;

const fileIn = (dir: string): string => join(dir, "cluster.json");

/** Writes the file and touches it until the returned function takes it away. */
export async function publishCluster(dir: string, cluster: ClusterFile): Promise<() => Promise<void>> {
  const file = fileIn(dir);
  await writeFile(`${file}.new`, `${JSON.stringify(cluster, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  const touch = (): void => {
    const now = new Date();
    utimes(file, now, now).catch(() => {}); // the folder was removed: nobody can find this cluster any more
  };
  const timer = setInterval(touch, TOUCH_MS);
  return async () => {
    clearInterval(timer);
    await rm(file, { force: true });
  };
}

/** The cluster of a folder, or undefined where none was started. */
export async function readClusterFile(
  dir: string,
): Promise<(ClusterFile & { readonly state: ClusterState }) | undefined> {
  const file = fileIn(dir);
  try {
    const cluster: ClusterFile = JSON.parse(await readFile(file, "utf8"));
    const { mtimeMs } = await stat(file);
    const running = Date.now() - mtimeMs < SILENT_MS && isThere(cluster.pid);
    return { ...cluster, state: running ? "running" : isThere(cluster.pid) ? "silent" : "gone" };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The running cluster of a folder. @throws {UsageError} where there is none */
export async function runningCluster(dir: string): Promise<ClusterFile> {
  const cluster = await readClusterFile(dir);
  if (cluster && cluster.state !== "gone") return cluster;
  throw new UsageError(
    `No cluster runs in ${dir}: start one with gmc cluster up --workers N, or name another with --redis URL.`,
    { dir },
  );
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0) && !isZombie(pid);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** One that has ended stays in Linux's list until its parent asks for it. */
function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false; // no Linux, or gone in this moment
  }
}
