import { mkdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { UsageError } from "@gmc/core";
import type { LossPoint, ReportData, ReportPicture, ReportRun } from "@gmc/evaluation";
import { reportPage } from "@gmc/evaluation";
import { parameterTable } from "@gmc/models";
import type { MetricsRecord } from "@gmc/storage";
import { readJson, readMetrics, writeFileAtomic } from "@gmc/storage";
import { writeAlignment } from "./align-run.ts";
import { alignmentsOf } from "./alignments.ts";
import { evaluationOf, writeEvaluation } from "./evaluate-folder.ts";
import { findRuns } from "./find-runs.ts";
import type { LoadedRun } from "./load-run.ts";
import type { MeasureOptions } from "./measured-run.ts";
import { MeasuredRun } from "./measured-run.ts";
import type { PictureMethod, PictureOptions, RunPicture } from "./picture-run.ts";
import { picturesOf } from "./picture-run.ts";
import { experimentDifferences } from "./same-experiment.ts";

export interface ReportRunsOptions extends Omit<MeasureOptions, "run">, PictureOptions {
  /** Folders of runs, or of sweeps with runs below them. */
  readonly runs: readonly string[];
  /** The page's file. */
  readonly out: string;
  readonly title?: string;
  /** Default: both; none leaves the pictures out. */
  readonly pictures?: readonly PictureMethod[];
  /** Time of the report; default: now. */
  readonly now?: Date;
}

/** What a report was made of, and where it is. */
export interface MadeReport {
  readonly out: string;
  readonly data: ReportData;
}

/**
 * One self-contained page about one run or several side by side: missing modalities, alignment, parameters, loss, pictures,
 * config and environment. What was measured before with the same weights, data and settings is taken from the runs' caches,
 * the rest is measured now and written to each run's `reports/`.
 *
 * @throws {UsageError} when a path is neither a run nor a folder of runs
 * @throws {CheckpointError} when a run has no checkpoint
 * @throws {CancelledError} when `signal` fires; no page is written, what was measured is kept
 */
export async function reportRuns(options: ReportRunsOptions): Promise<MadeReport> {
  const { out, now = new Date() } = options;
  const folders = await findRuns(options.runs);
  if (folders.length === 0) throw new UsageError("A report needs one run or more, received none.");
  const described: { readonly loaded: LoadedRun; readonly report: Omit<ReportRun, "name" | "group"> }[] = [];
  for (const folder of folders) described.push(await describeRun(folder, options));
  const names = distinctNames(
    described.map(({ loaded }) => loaded),
    folders,
  );
  const groups = groupsOf(described.map(({ loaded }) => loaded));
  const runs = described.map(({ report }, i) => ({ ...report, name: names[i] ?? "", group: groups[i] ?? "" }));
  const title = options.title ?? (runs.length === 1 ? `Run ${names[0]}` : `${runs.length} runs side by side`);
  const data: ReportData = { title, createdAt: now.toISOString(), runs };
  await mkdir(dirname(out), { recursive: true });
  await writeFileAtomic(out, reportPage(data));
  return { out, data };
}

async function describeRun(folder: string, options: ReportRunsOptions) {
  const measured = await MeasuredRun.open({ ...options, run: folder });
  try {
    const { run, model, weightsSha256 } = measured;
    const evaluation = await evaluationOf(measured);
    await writeEvaluation(measured, evaluation);
    const alignments = await alignmentsOf(measured);
    const { result: alignment } = await writeAlignment(measured, alignments);
    const pictures = await picturesOf(measured, alignments, options.pictures ?? ["umap", "pca"], options);
    const report = {
      folder,
      seed: run.config.seed,
      ...(run.record && { training: run.record }),
      weightsSha256,
      evaluation,
      alignment,
      parameters: parameterTable(model),
      losses: (await readMetrics(run.folder)).flatMap(lossPoint),
      pictures: pictures.map(reportPicture),
      config: run.config,
      environment: await readJson(run.folder.environment),
    };
    return { loaded: run, report };
  } finally {
    await measured.close();
  }
}

function lossPoint({ event, step, epoch, loss, validationLoss }: MetricsRecord): LossPoint[] {
  if (event !== "step" && event !== "epoch") return [];
  if (typeof step !== "number" || typeof epoch !== "number" || typeof loss !== "number") return []; // not finite: null
  return [{ kind: event, step, epoch, loss, ...(typeof validationLoss === "number" && { validationLoss }) }];
}

const reportPicture = ({ method, svg }: RunPicture): ReportPicture =>
  method === "umap"
    ? {
        caption:
          "Neighbourhoods of codes laid out in the plane, each panel by itself: complete codes and one modality's. Where the colours of the upper row mix, a modality's codes lie where the complete ones lie. Distances between clusters mean little.",
        svg,
      }
    : {
        caption:
          "The same codes on the two directions in which they vary most, each panel by itself. Distances in the plane are true to the codes as far as two directions can tell.",
        svg,
      };

/** A run's name; its folder's where several have the same, else the path. */
function distinctNames(runs: readonly LoadedRun[], folders: readonly string[]): string[] {
  const byConfig = runs.map(({ config, folder }) => config.name ?? basename(folder.path));
  const byFolder = runs.map(({ folder }) => basename(folder.path));
  return [byConfig, byFolder].find((names) => new Set(names).size === names.length) ?? [...folders];
}

/** The number of the first run that is the same experiment but for the seed. */
const groupsOf = (runs: readonly LoadedRun[]): string[] =>
  runs.map((run) => String(runs.findIndex((other) => experimentDifferences(other, run).length === 0)));
