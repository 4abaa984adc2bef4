import type { JobSummary } from "@gmc/jobs";
import { membersText } from "./cluster/members-text.ts";
import { duration } from "./status.ts";
import { grouped } from "./text-table.ts";

/** How far a job is, short: "120/400, loss 1.234, 2 min left". */
export function progressText({ runs, progress, secondsLeft, reason, error }: JobSummary): string {
  if (runs) return `${runs.ended}/${runs.total} runs${runs.failed > 0 ? `, ${runs.failed} failed` : ""}`;
  if (error) return clipped(error.message);
  if (reason !== undefined) return clipped(reason);
  if (!progress) return "";
  const left = secondsLeft === undefined ? [] : [`${duration(secondsLeft)} left`];
  return [`${grouped(progress.step)}/${grouped(progress.steps)}`, `loss ${progress.loss.toFixed(3)}`, ...left].join(
    ", ",
  );
}

/** A job with everything that is known of it, a line each. */
export function jobText(job: JobSummary): string {
  const { progress, members, sweep, reason, error, endedAt, secondsLeft } = job;
  const lines: (readonly [string, string])[] = [
    ["job", `${job.job} (${job.kind}${sweep === undefined ? "" : ` of sweep ${sweep}`})`],
    ["name", job.name],
    ["state", job.state],
    ...(reason === undefined ? [] : [["waits", reason] as const]),
    ["folder", job.out],
    ["submitted", job.submittedAt],
    ...(endedAt === undefined ? [] : [["ended", endedAt] as const]),
    ...(job.runs ? [["runs", progressText(job)] as const] : []),
    ...(members.length > 0 ? [["workers", membersText(members)] as const] : []),
  ];
  if (progress) {
    const { step, steps, epoch, epochs, loss, samplesPerSecond, reduceMs, gatherMs } = progress;
    lines.push(["step", `${grouped(step)}/${grouped(steps)}, epoch ${epoch}/${epochs}`]);
    lines.push(["loss", loss.toFixed(4)], ["samples/s", grouped(Math.round(samplesPerSecond))]);
    if (reduceMs !== undefined) lines.push(["all-reduce", `${reduceMs.toFixed(1)} ms a step`]);
    if (gatherMs !== undefined) lines.push(["gather", `${gatherMs.toFixed(1)} ms a step`]);
  }
  if (secondsLeft !== undefined) lines.push(["left", duration(secondsLeft)]);
  if (error) lines.push(["error", error.message]);
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join("\n");
}

const clipped = (text: string): string => (text.length > 60 ? `${text.slice(0, 59)}…` : text);
