import type { Job } from "bullmq";
import type { JobReport } from "./job-events.ts";

const EMPTY: JobReport = { first: 0, news: [], members: [] };

/** What the coordinator wrote of a job last; an empty report before it has. */
export function reportOf({ progress }: Pick<Job, "progress">): JobReport {
  return isReport(progress) ? progress : EMPTY;
}

const isReport = (value: unknown): value is JobReport =>
  typeof value === "object" && value !== null && "news" in value && Array.isArray(value.news);
