import { alignmentTable, tableMarkdown } from "@gmc/evaluation";
import type { JobResult } from "@gmc/jobs";
import { sweepMarkdown } from "@gmc/jobs";
import { groupText } from "./cluster/watch-run.ts";
import { duration } from "./status.ts";
import { grouped } from "./text-table.ts";

/** What a job ended with, for people. */
export function resultText(ended: JobResult): string {
  if (ended.kind === "sweep") return sweepMarkdown(ended.result);
  const { record } = ended;
  const { status, steps, epochs, wallSeconds, samplesPerSecond, finalLoss, weightsSha256, evaluation, alignment } =
    record;
  const group = groupText(record);
  return [
    `${status === "stopped" ? "Stopped" : "Trained"} after ${epochs} epochs (${grouped(steps)} steps) in ${duration(wallSeconds)}, ${grouped(Math.round(samplesPerSecond))} samples/s; mean loss of the last epoch ${finalLoss?.toFixed(3) ?? "unknown"}.`,
    ...(group === "" ? [] : [`Group    ${group}`]),
    `Run      ${record.run}`,
    `Weights  sha256 ${weightsSha256}`,
    ...(evaluation ? ["", tableMarkdown(evaluation).trim()] : []),
    ...(alignment ? ["", alignmentTable(alignment).trim()] : []),
  ].join("\n");
}
