import type { JobSummary } from "@gmc/jobs";
import { listJobs } from "@gmc/jobs";
import { Command } from "commander";
import { redisOption } from "../cluster/redis-options.ts";
import { withQueueOf } from "../cluster/with-queue.ts";
import type { Context } from "../context.ts";
import { progressText } from "../job-text.ts";
import { textTable } from "../text-table.ts";

interface JobsFlags {
  readonly redis?: string;
  readonly all?: boolean;
}

/** `gmc jobs`: what is in a cluster's queue. */
export const jobsCommand = (context: Context): Command =>
  new Command("jobs")
    .description("List a cluster's jobs, the newest first.")
    .addOption(redisOption())
    .option("--all", "the runs of sweeps too")
    .addHelpText("after", "\nExamples:\n  gmc jobs\n  gmc jobs --all --json\n")
    .action(async ({ redis, all = false }: JobsFlags) => {
      const jobs = await withQueueOf(context, "jobs", redis, (queue) => listJobs(queue, { all }));
      context.output.result({ jobs }, jobs.length === 0 ? "The queue knows no jobs." : tableOf(jobs));
    });

const tableOf = (jobs: readonly JobSummary[]): string =>
  textTable([
    ["job", "kind", "state", "progress", "submitted (UTC)", "folder"],
    ...jobs.map((job) => [
      job.job,
      job.kind,
      job.state,
      progressText(job),
      job.submittedAt.slice(0, 16).replace("T", " "),
      job.out,
    ]),
  ]);
