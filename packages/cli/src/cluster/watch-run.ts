import { CancelledError, decodeError } from "@gmc/core";
import type { RunRecord } from "@gmc/experiment";
import type { JobEvent, JobQueue } from "@gmc/jobs";
import { cancelJob, watchJob } from "@gmc/jobs";
import type { Context } from "../context.ts";
import { showProgress } from "../progress.ts";
import { counted, membersText } from "./members-text.ts";

export interface WatchRunOptions {
  /** Ends the watch with its error: the cluster broke. */
  readonly failed?: Promise<never>;
  /** There are no other workers than those it wants: it fails with what the first one that refuses it says. */
  readonly exclusive?: boolean;
}

/**
 * Shows a run's course on the status line and gives its record. Ctrl-C cancels it: the record's status is then "stopped".
 *
 * @throws what the run failed with
 * @throws {CancelledError} when it was cancelled before it began
 */
export async function watchRun(
  context: Context,
  queue: JobQueue,
  id: string,
  { failed, exclusive = false }: WatchRunOptions = {},
): Promise<RunRecord> {
  const { signal } = context;
  const ending = new AbortController();
  const follower = openFollower(context, exclusive);
  const cancel = (): void => {
    cancelJob(queue, id).then(
      (outcome) => outcome === "removed" && ending.abort(neverBegan()),
      (error: unknown) => ending.abort(error),
    );
  };
  signal.addEventListener("abort", cancel, { once: true });
  failed?.catch((error: unknown) => ending.abort(error));
  if (signal.aborted) cancel();
  try {
    for await (const event of watchJob(queue, id, { signal: ending.signal })) {
      const end = follower.follow(event);
      if (end) return end;
    }
    throw ending.signal.reason;
  } catch (error) {
    if (!ending.signal.aborted) await cancelJob(queue, id).catch(() => {}); // nobody watches it any more
    throw error;
  } finally {
    follower.close();
    signal.removeEventListener("abort", cancel);
  }
}

export const neverBegan = (): CancelledError =>
  new CancelledError("Stopped before training began; nothing was written.");

/** Waiting is told when it lasts: workers that start are not worth a line each. */
const PATIENCE_MS = 3000;

/** Shows events; `follow` gives the record at the end. */
export function openFollower({ status }: Context, exclusive: boolean) {
  const onProgress = showProgress(status);
  let begun = false;
  let impatient: NodeJS.Timeout | undefined;
  const follow = (event: JobEvent): RunRecord | undefined => {
    clearTimeout(impatient);
    switch (event.event) {
      case "waiting":
        impatient = setTimeout(() => status.note(`waiting: ${event.reason}`), PATIENCE_MS);
        break;
      case "started":
        begun = true;
        status.note(`training on ${membersText(event.members)}`);
        break;
      case "generation":
        status.note(`${event.cause}: now ${membersText(event.members)}`);
        break;
      case "refused":
        status.note(`${event.host} does not take part: ${event.error.message}`);
        if (exclusive && !begun) throw decodeError(event.error);
        break;
      case "epoch":
        onProgress({ phase: "epoch", ...event });
        break;
      case "progress":
        onProgress({ phase: "train", ...event });
        if (event.evaluating) status.note("trained; evaluating ...");
        break;
      case "completed":
        return event.record;
      case "failed":
        throw decodeError(event.error);
      default:
        event satisfies never;
    }
    return undefined;
  };
  return { follow, close: () => clearTimeout(impatient) };
}

/** What a run's record says of its group; absent where one process trained alone. */
interface GroupFigures {
  readonly run: string;
  readonly workers?: number | undefined;
  readonly generations?: number | undefined;
  readonly reduceMs?: number | undefined;
  readonly gatherMs?: number | undefined;
}

/** "2 workers, 3 generations, 4.1 ms a step to reduce, 0.9 ms to gather"; empty for a run that no group trained. */
export function groupText({ workers, generations, reduceMs, gatherMs }: GroupFigures): string {
  if (workers === undefined || generations === undefined) return "";
  const times = [
    ...(reduceMs === undefined ? [] : [`${reduceMs.toFixed(1)} ms a step to reduce`]),
    ...(gatherMs === undefined ? [] : [`${gatherMs.toFixed(1)} ms to gather`]),
  ];
  return [counted(workers, "worker"), counted(generations, "generation"), ...times].join(", ");
}
