import type { ParameterTable } from "@gmc/models";
import type { AlignmentResult } from "../align-modality.ts";
import type { EvaluationResult } from "../evaluate-run.ts";

/** Everything a report shows, as plain data: the page is a function of it. */
export interface ReportData {
  readonly title: string;
  /** ISO 8601 time at which the report is made. */
  readonly createdAt: string;
  readonly runs: readonly ReportRun[];
}

/** One run in a report. What is absent is left out of the page. */
export interface ReportRun {
  /** Differs from run to run: the run's name, or its folder. */
  readonly name: string;
  readonly folder: string;
  readonly seed: number;
  /** Equal in runs that differ in nothing but the seed: their results are also given as mean and deviation. */
  readonly group: string;
  readonly training?: ReportTraining;
  readonly weightsSha256: string;
  readonly evaluation?: EvaluationResult;
  readonly alignment?: AlignmentResult;
  readonly parameters: ParameterTable;
  /** In the order of the steps. */
  readonly losses: readonly LossPoint[];
  readonly pictures: readonly ReportPicture[];
  /** The effective configuration: nested plain data. */
  readonly config: unknown;
  /** Machine, versions and data: nested plain data. */
  readonly environment: unknown;
}

export interface ReportTraining {
  readonly status: string;
  readonly steps: number;
  readonly epochs: number;
  readonly wallSeconds: number;
  readonly samplesPerSecond: number;
  readonly finalLoss: number | null;
}

/** One line of a run's metrics. */
export interface LossPoint {
  /** A step's own loss, or an epoch's mean. */
  readonly kind: "step" | "epoch";
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly validationLoss?: number;
}

export interface ReportPicture {
  /** What is seen, in a sentence or two. */
  readonly caption: string;
  /** A whole SVG document, with its title. */
  readonly svg: string;
}
