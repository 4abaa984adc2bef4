export type {
  AlignedModality,
  AlignModalityOptions,
  AlignmentResult,
  JudgedCodes,
  ModalityAlignment,
} from "./align-modality.ts";
export { alignModality, alignmentSamples, judgedCodes } from "./align-modality.ts";
export type { Alignment, AlignmentOptions, AlignmentProgress, AlignmentSummary } from "./alignment/alignment.ts";
export { alignment } from "./alignment/alignment.ts";
export type { AlignmentBenchmark, AlignmentBenchmarkOptions } from "./alignment/benchmark.ts";
export { benchmarkAlignment, clusteredCodes } from "./alignment/benchmark.ts";
export type { AlignmentComponent, ComponentScores } from "./alignment/components.ts";
export { uniqueRows } from "./alignment/distinct-points.ts";
export type { AlignmentSettings } from "./alignment/settings.ts";
export { DEFAULT_ALIGNMENT } from "./alignment/settings.ts";
export type { AlignmentScore, AlignmentSpread, Spread } from "./alignment-table.ts";
export { ALIGNMENT_SCORES, alignmentSpread, alignmentSpreadTable, alignmentTable, spread } from "./alignment-table.ts";
export type { Classifier, ClassifierOptions } from "./classifier.ts";
export { accuracyOf, trainClassifier } from "./classifier.ts";
export { EvaluationConfig } from "./config.ts";
export type { EncodedSplit, EncodeSplitOptions, EvaluationProgress } from "./encode-split.ts";
export { encodeSplit } from "./encode-split.ts";
export type { EvaluateOptions, EvaluationResult } from "./evaluate-run.ts";
export { evaluateRun } from "./evaluate-run.ts";
export type { PictureCodes } from "./pictures/picture-points.ts";
export type { PictureModality, ProjectionOptions } from "./pictures/projection-picture.ts";
export { projectionPicture } from "./pictures/projection-picture.ts";
export { fontsMissing, renderPng } from "./pictures/render-png.ts";
export type { SpreadChart, SpreadPanel, SpreadSeries } from "./pictures/spread-chart.ts";
export { spreadChart } from "./pictures/spread-chart.ts";
export type { LossPoint, ReportData, ReportPicture, ReportRun, ReportTraining } from "./report/report-data.ts";
export { reportPage } from "./report/report-page.ts";
export type { Ranks, Recall } from "./retrieval.ts";
export { matchingRanks, recallOf } from "./retrieval.ts";
export type { PresentCase } from "./subsets.ts";
export { COMPLETE, presentCases } from "./subsets.ts";
export { missingModalityTable, tableMarkdown } from "./table.ts";
