import { existsSync, readdirSync, readFileSync } from "node:fs";
import { sleep } from "../../e2e/gmc.ts";

/** A process of this machine that has a mark in its environment, or (redis-server) in its title. */
export interface Marked {
  readonly pid: number;
  readonly command: string;
}

/** Why processes cannot be listed here. */
export const processesHidden = (): string | undefined =>
  existsSync("/proc/self/environ") ? undefined : "processes are listed by /proc, which this system lacks";

/** Living processes that have `mark`, a folder for temporary files for instance. */
export function markedProcesses(mark: string): readonly Marked[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid)
    .flatMap((pid) => {
      try {
        const [environment = "", title = "", status = ""] = ["environ", "cmdline", "status"].map((name) =>
          readFileSync(`/proc/${pid}/${name}`, "utf8"),
        );
        if (!`${environment}${title}`.includes(mark) || /^State:\s+Z/m.test(status)) return [];
        return [{ pid, command: title.replaceAll("\0", " ").trim() }];
      } catch {
        return []; // it has just ended
      }
    });
}

/** Waits until none is left; gives those that are left after the deadline. */
export async function leftOver(mark: string, deadlineMs = 10_000): Promise<readonly Marked[]> {
  for (const until = Date.now() + deadlineMs; ; await sleep(50)) {
    const left = markedProcesses(mark);
    if (left.length === 0 || Date.now() > until) return left;
  }
}

/** What is in a folder for temporary files that we made; onnxruntime writes logs of its own there. */
export const ours = (folder: string): readonly string[] => readdirSync(folder).filter((name) => name.startsWith("gmc"));
