import type { JobQueue } from "@gmc/jobs";
import { cancelJob, pauseJob, resumeJob, retryJob } from "@gmc/jobs";
import { Command } from "commander";
import { redisOption } from "../cluster/redis-options.ts";
import { withQueueOf } from "../cluster/with-queue.ts";
import type { Context } from "../context.ts";

/** One of the commands that ask something of a job. */
interface Request {
  readonly name: string;
  readonly description: string;
  /** Gives what is told of it, for programs and for people. */
  readonly ask: (queue: JobQueue, id: string) => Promise<readonly [outcome: string, text: string]>;
}

const REQUESTS: readonly Request[] = [
  {
    name: "cancel",
    description: "Stop jobs in good order: a run leaves a checkpoint, a sweep ends with what is finished.",
    async ask(queue, id) {
      const outcome = await cancelJob(queue, id);
      const texts = {
        removed: "had not begun and is gone",
        requested: "leaves a checkpoint and ends",
        ended: "was over",
      };
      return [outcome, texts[outcome]];
    },
  },
  {
    name: "pause",
    description: "Have runs leave a checkpoint and free their workers, until they are resumed.",
    async ask(queue, id) {
      await pauseJob(queue, id);
      return ["requested", `leaves a checkpoint and waits; go on with gmc resume ${id}`];
    },
  },
  {
    name: "resume",
    description: "Have paused runs go on from their checkpoints, to the bits of runs that never paused.",
    async ask(queue, id) {
      await resumeJob(queue, id);
      return ["queued", "goes on when workers are free"];
    },
  },
  {
    name: "retry",
    description: "Put runs that failed or were cancelled into the queue again; they go on from their last checkpoints.",
    async ask(queue, id) {
      await retryJob(queue, id);
      return ["queued", "is in the queue again"];
    },
  },
];

/** `gmc cancel|pause|resume|retry JOB…`. */
export const jobRequestCommands: readonly ((context: Context) => Command)[] = REQUESTS.map(
  ({ name, description, ask }) =>
    (context) =>
      new Command(name)
        .description(description)
        .argument("<job...>", "their ids")
        .addOption(redisOption())
        .addHelpText("after", `\nExamples:\n  gmc ${name} demo-1a2b3c4d\n`)
        .action(async (ids: readonly string[], { redis }: { readonly redis?: string }) => {
          await withQueueOf(context, name, redis, async (queue) => {
            const told: { readonly job: string; readonly outcome: string; readonly text: string }[] = [];
            for (const job of ids) {
              const [outcome, text] = await ask(queue, job);
              told.push({ job, outcome, text });
            }
            const jobs = told.map(({ job, outcome }) => ({ job, outcome }));
            context.output.result({ jobs }, told.map(({ job, text }) => `${job} ${text}.`).join("\n"));
          });
        }),
);
