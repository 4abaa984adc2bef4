import { differingPaths, RESUME_MAY_CHANGE } from "@gmc/trainer";
import type { LoadedRun } from "./load-run.ts";

/** Dotted paths in which two runs are different experiments; none when they differ in their seed at most. */
export function experimentDifferences(a: LoadedRun, b: LoadedRun): string[] {
  const free = ["seed", ...RESUME_MAY_CHANGE.filter((path) => path !== "evaluation"), "evaluation.alignment.threads"];
  const paths = differingPaths(a.config, b.config).filter(
    (path) => !free.some((one) => path === one || path.startsWith(`${one}.`)),
  );
  return a.data.sha256 === b.data.sha256 ? paths : [...paths, "data"];
}
