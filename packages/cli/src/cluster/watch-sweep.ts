import { decodeError } from "@gmc/core";
import type { JobQueue, SweepEvent, SweepResult } from "@gmc/jobs";
import { watchSweep } from "@gmc/jobs";
import type { Context } from "../context.ts";
import { resultText } from "../result-text.ts";
import { duration } from "../status.ts";
import { goesOn } from "./goes-on.ts";

/** Follows a sweep to its end and shows its table; in JSON mode a line an event. */
export async function followSweep(context: Context, queue: JobQueue, id: string): Promise<void> {
  const { output, status, exit } = context;
  const result = await watchSweepOf(context, queue, id, (event) => output.line(event));
  status.end();
  if (result.failed.length > 0) exit(1);
  if (!output.json) output.result(result, resultText({ kind: "sweep", out: "", result }));
}

/**
 * Shows a sweep's course on the status line and gives its result.
 *
 * @throws {CancelledError} when Ctrl-C ends the watch; the sweep goes on
 */
export async function watchSweepOf(
  context: Context,
  queue: JobQueue,
  id: string,
  onEvent: (event: SweepEvent) => void = () => {},
): Promise<SweepResult> {
  const { status, signal } = context;
  const running = new Map<string, string>();
  let [done, runs] = [0, 0];
  const show = (): void => {
    const detail = `${done}/${runs} runs${running.size > 0 ? `; ${[...running.values()].join(", ")}` : ""}`;
    status.update({ label: "Sweep", done, total: runs, detail });
  };
  for await (const event of watchSweep(queue, id, { signal })) {
    onEvent(event);
    switch (event.event) {
      case "sweep":
        runs = event.runs;
        break;
      case "waiting":
        status.note(`waiting: ${event.reason}`);
        break;
      case "run":
        status.note(`${event.run} is trained by ${event.members.join(", ")}`);
        break;
      case "run-progress":
        running.set(event.run, `${event.run} ${event.step}/${event.steps}`);
        break;
      case "run-ended":
        running.delete(event.run);
        done = event.done;
        status.note(`${event.run} ${endText(event.outcome)}`);
        break;
      case "completed":
        return event.result;
      case "failed":
        throw decodeError(event.error);
      default:
        event satisfies never;
    }
    show();
  }
  throw goesOn(id);
}

function endText(outcome: Extract<SweepEvent, { event: "run-ended" }>["outcome"]): string {
  if (outcome.status === "failed") return `failed: ${outcome.error.message}`;
  const { finalLoss, wallSeconds } = outcome.record;
  return `ended with loss ${finalLoss?.toFixed(3) ?? "unknown"} after ${duration(wallSeconds)}`;
}
