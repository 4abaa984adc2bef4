import type { Logger } from "@gmc/core";
import type { JudgedRun, RunConfig, RunRecord } from "@gmc/experiment";
import { JUDGEMENTS, judgeRun } from "@gmc/experiment";
import type { RunJob } from "@gmc/protocol";

export interface JudgeMemberOptions {
  /** The run's, on this worker. */
  readonly folder: string;
  readonly job: RunJob;
  readonly record: RunRecord;
  readonly config: RunConfig;
  /** Threads that compute, in place of the config's. */
  readonly threads?: number;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/**
 * What a job wants to be found out about its run, on the one worker that keeps it. Nothing changes by it: after a death in
 * the middle another worker does it again, and finds the same.
 */
export async function judgeMember(options: JudgeMemberOptions): Promise<JudgedRun> {
  const { folder, job, record, config, threads, signal, logger } = options;
  const judgements = JUDGEMENTS.filter((name) => job.evaluate?.includes(name));
  if (judgements.length === 0) return {};
  logger.info("worker.evaluates", { run: record.run, judgements });
  const engine = threads === undefined ? [] : [["engine.threads", threads] as const];
  return judgeRun(
    {
      run: folder,
      overrides: [["evaluation", config.evaluation], ["data.path", config.data.path], ...engine],
      signal,
      logger,
    },
    judgements,
  );
}
