import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { EvaluationResult } from "@gmc/evaluation";
import { evaluateRun, tableMarkdown } from "@gmc/evaluation";
import { writeFileAtomic, writeJson } from "@gmc/storage";
import type { LongCall } from "./run-progress.ts";
import type { TrainedOptions } from "./trained.ts";
import { openTrained } from "./trained.ts";

/** What an evaluation gives, also kept in the run's `reports/`. */
export interface EvaluatedRun {
  readonly result: EvaluationResult;
  /** The result as a table. */
  readonly markdown: string;
  /** Path of the table; the JSON lies beside it. */
  readonly report: string;
}

/**
 * How the run's model does on the test split with modalities missing, written to `reports/evaluation.json` and `.md`.
 * A function of (weights, data, config, seed).
 *
 * @throws {UsageError} when the folder is no run
 * @throws {CheckpointError} when it has no checkpoint
 * @throws {CancelledError} when `signal` fires; the reports are as before
 */
export async function evaluateFolder(options: TrainedOptions & LongCall): Promise<EvaluatedRun> {
  const { signal, logger, onProgress } = options;
  const trained = await openTrained(options);
  try {
    const { config, folder } = trained.run;
    const result = await evaluateRun({
      model: trained.model,
      replica: trained.replica,
      dataset: trained.dataset,
      config: config.evaluation,
      seed: config.seed,
      trainSplit: config.data.trainSplit,
      testSplit: config.data.testSplit,
      engine: config.engine,
      ...(signal && { signal }),
      ...(logger && { logger }),
      ...(onProgress && { onProgress: (progress) => onProgress({ phase: "task", ...progress }) }),
    });
    const markdown = tableMarkdown(result);
    await mkdir(folder.reports, { recursive: true });
    const report = join(folder.reports, "evaluation.md");
    await writeJson(join(folder.reports, "evaluation.json"), result);
    await writeFileAtomic(report, `${markdown.trim()}\n`);
    return { result, markdown, report };
  } finally {
    await trained.close();
  }
}
