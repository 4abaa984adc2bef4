import { readJob } from "@gmc/jobs";
import { Command } from "commander";
import { redisOption } from "../cluster/redis-options.ts";
import { withQueueOf } from "../cluster/with-queue.ts";
import type { Context } from "../context.ts";
import { jobText } from "../job-text.ts";

/** `gmc status JOB`: how a job stands. */
export const statusCommand = (context: Context): Command =>
  new Command("status")
    .description("Show how a job stands: step, loss, throughput, all-reduce, time left, who works on it.")
    .argument("<job>", "its id")
    .addOption(redisOption())
    .addHelpText("after", "\nExamples:\n  gmc status demo-1a2b3c4d\n  gmc status demo-1a2b3c4d --json\n")
    .action(async (id: string, { redis }: { readonly redis?: string }) => {
      const job = await withQueueOf(context, "status", redis, (queue) => readJob(queue, id));
      context.output.result(job, jobText(job));
    });
