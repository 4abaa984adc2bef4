import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { engineBits } from "@gmc/engine";
import type { EvaluationResult } from "@gmc/evaluation";
import { evaluateRun, tableMarkdown } from "@gmc/evaluation";
import { readJson, writeFileAtomic, writeJson } from "@gmc/storage";
import type { MeasureOptions } from "./measured-run.ts";
import { MeasuredRun } from "./measured-run.ts";

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
 * A function of (weights, data, config, seed), computed anew unless `fresh` is false.
 *
 * @throws {UsageError} when the folder is no run
 * @throws {CheckpointError} when it has no checkpoint
 * @throws {CancelledError} when `signal` fires; the reports are as before
 */
export async function evaluateFolder(options: MeasureOptions): Promise<EvaluatedRun> {
  const measured = await MeasuredRun.open({ fresh: true, ...options });
  try {
    return await writeEvaluation(measured, await evaluationOf(measured));
  } finally {
    await measured.close();
  }
}

/** The evaluation, as kept in the run's cache or made now. */
export function evaluationOf(measured: MeasuredRun): Promise<EvaluationResult> {
  const { evaluation, seed, data, engine } = measured.run.config;
  const { classifier, subsets, retrieval } = evaluation;
  const dependsOn = { classifier, subsets, retrieval, seed, trainSplit: data.trainSplit, device: engineBits(engine) };
  const file = { read: async (path: string) => (await readJson(path)) as EvaluationResult, write: writeJson };
  return measured.cache.get<EvaluationResult>(["evaluation", ".json"], dependsOn, file, () => evaluate(measured));
}

/** Table and JSON in the run's reports. */
export async function writeEvaluation({ run }: MeasuredRun, result: EvaluationResult): Promise<EvaluatedRun> {
  const { reports } = run.folder;
  const markdown = tableMarkdown(result);
  await mkdir(reports, { recursive: true });
  const report = join(reports, "evaluation.md");
  await writeJson(join(reports, "evaluation.json"), result);
  await writeFileAtomic(report, `${markdown.trim()}\n`);
  return { result, markdown, report };
}

async function evaluate(measured: MeasuredRun): Promise<EvaluationResult> {
  const { model, replica, dataset } = await measured.trained();
  const { config } = measured.run;
  const { signal, logger, onProgress } = measured.call;
  return evaluateRun({
    model,
    replica,
    dataset,
    config: config.evaluation,
    seed: config.seed,
    trainSplit: config.data.trainSplit,
    testSplit: config.data.testSplit,
    engine: config.engine,
    ...(signal && { signal }),
    ...(logger && { logger }),
    ...(onProgress && { onProgress: (progress) => onProgress({ phase: "task", ...progress }) }),
  });
}
