import { readLogs } from "@gmc/jobs";
import { Command } from "commander";
import { redisOption } from "../cluster/redis-options.ts";
import { withQueueOf } from "../cluster/with-queue.ts";
import type { Context } from "../context.ts";
import { integer } from "../options.ts";

interface LogsFlags {
  readonly redis?: string;
  readonly lines: number;
}

/** `gmc logs JOB`: what coordinator and workers wrote of a run. */
export const logsCommand = (context: Context): Command =>
  new Command("logs")
    .description(
      "Show what coordinator and workers wrote of a run, oldest first: a JSON line each, with run, worker, rank, step.",
    )
    .argument("<job>", "its id")
    .addOption(redisOption())
    .option("--lines <n>", "the latest so many; the queue keeps 2,000 of a run", integer(1), 200)
    .addHelpText(
      "after",
      "\nExamples:\n  gmc logs demo-1a2b3c4d\n  gmc logs demo-1a2b3c4d --lines 2000 | jq 'select(.rank == 0)'\n",
    )
    .action(async (id: string, { redis, lines }: LogsFlags) => {
      const found = await withQueueOf(context, "logs", redis, (queue) => readLogs(queue, id, lines));
      const documents = found.map((line) => JSON.parse(line) as unknown);
      context.output.result({ lines: documents }, found.length === 0 ? "Nothing was written of it." : found.join("\n"));
    });
