import { readFile } from "node:fs/promises";
import { UsageError } from "@gmc/core";
import type { RunFolder } from "@gmc/storage";
import { openRunFolder } from "@gmc/storage";
import type { Override } from "./overrides.ts";
import type { RunConfig } from "./run-config.ts";
import { parseRunConfig } from "./run-config.ts";
import type { DataOrigin } from "./run-origin.ts";
import { readOrigin } from "./run-origin.ts";
import type { RunRecord } from "./run-record.ts";
import { readRunRecord } from "./run-record.ts";

/** A run folder's contents, without its tensors. */
export interface LoadedRun {
  readonly folder: RunFolder;
  /** As saved, with the overrides applied. */
  readonly config: RunConfig;
  readonly data: DataOrigin;
  /** Absent while training never ended or stopped in good order. */
  readonly record?: RunRecord;
}

/** What may differ between training and using a run: everything else is the trained model's. */
const USABLE = ["data", "engine", "evaluation"];

/** A run, read from its folder. @throws {UsageError} when the folder is no run, {ConfigError} when its config is not valid */
export async function loadRun(run: string, overrides: readonly Override[] = []): Promise<LoadedRun> {
  const folder = await openRunFolder(run);
  const foreign = overrides.find(([path]) => !USABLE.includes(path.split(".")[0] ?? ""));
  if (foreign) {
    throw new UsageError(`--${foreign[0]} cannot be changed after training; only values of ${USABLE.join(", ")} can.`, {
      path: foreign[0],
    });
  }
  const config = await readConfig(folder, overrides);
  const [data, record] = [await readOrigin(folder), await readRunRecord(folder)];
  return { folder, config, data, ...(record ? { record } : {}) };
}

/** A run's config with any override: what a resume starts from. */
export const loadRunConfig = async (run: string, overrides: readonly Override[] = []): Promise<RunConfig> =>
  readConfig(await openRunFolder(run), overrides);

async function readConfig(folder: RunFolder, overrides: readonly Override[]): Promise<RunConfig> {
  return parseRunConfig(await readFile(folder.config, "utf8"), overrides, { file: folder.config });
}
