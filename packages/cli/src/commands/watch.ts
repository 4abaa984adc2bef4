import { decodeError } from "@gmc/core";
import type { JobQueue } from "@gmc/jobs";
import { readJob, watchJob } from "@gmc/jobs";
import { Command } from "commander";
import { goesOn } from "../cluster/goes-on.ts";
import { redisOption } from "../cluster/redis-options.ts";
import { tellIdle } from "../cluster/tell-idle.ts";
import { openFollower } from "../cluster/watch-run.ts";
import { followSweep } from "../cluster/watch-sweep.ts";
import { withQueueOf } from "../cluster/with-queue.ts";
import type { Context } from "../context.ts";
import { resultText } from "../result-text.ts";

/** `gmc watch JOB`: its course, to its end. */
export const watchCommand = (context: Context): Command =>
  new Command("watch")
    .description("Follow a job to its end: live loss, throughput, time left. Ctrl-C ends the watch, not the job.")
    .argument("<job>", "its id")
    .addOption(redisOption())
    .addHelpText("after", EXAMPLES)
    .action((id: string, { redis }: { readonly redis?: string }) =>
      withQueueOf(context, "watch", redis, (queue) => watch(context, queue, id)),
    );

async function watch(context: Context, queue: JobQueue, id: string): Promise<void> {
  const { kind, endedAt } = await readJob(queue, id);
  if (endedAt === undefined) await tellIdle(context, queue);
  if (kind === "sweep") await followSweep(context, queue, id);
  else await followRun(context, queue, id);
}

async function followRun(context: Context, queue: JobQueue, id: string): Promise<void> {
  const { output, status, signal, exit } = context;
  const follower = openFollower(context, false);
  try {
    for await (const event of watchJob(queue, id, { signal })) {
      output.line(event);
      if (event.event === "failed") {
        if (!output.json) throw decodeError(event.error);
        exit(1); // the line has said it
      } else if (event.event === "completed") {
        status.end();
        if (!output.json) output.result(event.record, resultText({ kind: "run", record: event.record }));
      } else follower.follow(event);
    }
  } finally {
    follower.close();
  }
  if (signal.aborted) throw goesOn(id);
}

const EXAMPLES = `
With --json standard output gets one JSON line an event (waiting, started, generation, refused, epoch, progress) and ends
with "completed" and the run's record, or "failed" and the error; a sweep's lines are run, run-progress, run-ended.

Examples:
  gmc watch demo-1a2b3c4d
  gmc watch demo-1a2b3c4d --json | jq .loss
`;
