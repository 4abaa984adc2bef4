import type { AlignmentResult, EvaluationResult } from "@gmc/evaluation";
import { alignRun } from "./align-run.ts";
import { evaluateFolder } from "./evaluate-folder.ts";
import type { MeasureOptions } from "./measured-run.ts";

/** What can be found out about a trained run: `evaluation` is `gmc evaluate`'s table, `alignment` is `gmc align`'s. */
export const JUDGEMENTS = ["evaluation", "alignment"] as const;
export type Judgement = (typeof JUDGEMENTS)[number];

/** What was found out, where it was asked for. */
export interface JudgedRun {
  readonly evaluation?: EvaluationResult;
  readonly alignment?: AlignmentResult;
}

/**
 * Evaluates a trained run in the ways that are asked for, each with its reports in the run's folder. What is kept there
 * with the same weights, data and settings is not computed again.
 *
 * @throws as `evaluateFolder` and `alignRun` do
 */
export async function judgeRun(options: MeasureOptions, judgements: readonly Judgement[]): Promise<JudgedRun> {
  const evaluation = judgements.includes("evaluation")
    ? (await evaluateFolder({ fresh: false, ...options })).result
    : undefined;
  const alignment = judgements.includes("alignment") ? (await alignRun(options)).result : undefined;
  return { ...(evaluation && { evaluation }), ...(alignment && { alignment }) };
}
