import { DataError } from "@gmc/core";
import type { RunFolder } from "@gmc/storage";
import { exists, readJson } from "@gmc/storage";
import { z } from "zod";

/** What training ends with: `RUN/run.json`, and what `gmc train --json` prints. */
export const RunRecord = z
  .strictObject({
    /** The run's folder, as given. */
    run: z.string(),
    status: z.enum(["finished", "stopped", "early-stopped"]),
    /** Steps of the whole run, also after a resume. */
    steps: z.int().min(0),
    /** Epochs finished, of the whole run. */
    epochs: z.int().min(0),
    /** Seconds this call trained; a resumed run counts from its resume. */
    wallSeconds: z.number(),
    /** Over those seconds. */
    samplesPerSecond: z.number(),
    /** Mean loss of the last finished epoch; null before the first. */
    finalLoss: z.number().nullable(),
    /** sha256 of the parameters' and buffers' little-endian float32 bytes in name order. */
    weightsSha256: z.string(),
    /** Workers that took part at the end; absent for one process. */
    workers: z.int().min(1).optional(),
    /** Times that who takes part changed, and the beginning. */
    generations: z.int().min(1).optional(),
    /** ms a step with a reduction under way, most of it beside the backward, and waited for gathers: means of this call. */
    reduceMs: z.number().optional(),
    gatherMs: z.number().optional(),
  })
  .readonly();
export type RunRecord = z.infer<typeof RunRecord>;

/** The record of a run; undefined while it has none. @throws {DataError} when the file is not a record */
export async function readRunRecord(folder: RunFolder): Promise<RunRecord | undefined> {
  if (!(await exists(folder.record))) return undefined;
  const parsed = RunRecord.safeParse(await readJson(folder.record));
  if (parsed.success) return parsed.data;
  throw new DataError(`${folder.record} is not a run's record: ${z.prettifyError(parsed.error)}`, {
    path: folder.record,
  });
}
