import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { AlignmentResult } from "@gmc/evaluation";
import { alignmentTable } from "@gmc/evaluation";
import { writeFileAtomic, writeJson } from "@gmc/storage";
import type { Alignments } from "./alignments.ts";
import { alignmentsOf } from "./alignments.ts";
import type { MeasureOptions } from "./measured-run.ts";
import { MeasuredRun } from "./measured-run.ts";
import type { PictureMethod } from "./picture-run.ts";
import { picturesOf } from "./picture-run.ts";

export interface AlignRunOptions extends MeasureOptions {
  /** Modalities that are compared with complete observations, or some together, "image+sound". Default: each of the model's. */
  readonly modalities?: readonly string[];
  /** Pictures of the codes that are drawn too; default: none. */
  readonly pictures?: readonly PictureMethod[];
}

/** What an alignment gives, also kept in the run's `reports/`. */
export interface AlignedRun {
  readonly result: AlignmentResult;
  /** The result as a table. */
  readonly markdown: string;
  /** Path of the table; the JSON lies beside it. */
  readonly report: string;
  /** Paths of the pictures that were asked for. */
  readonly pictures: readonly string[];
}

/**
 * Geometric alignment of a run: the codes of each modality against those of complete observations, on the test split, by
 * Delaunay component analysis (the paper's Table 2). Written to `reports/alignment.json` and `.md`. Each modality's result is
 * kept in `reports/cache/` as soon as it is there, and found again with the same weights, data and settings.
 * A function of (weights, data, config, seed).
 *
 * @throws {UsageError} when the folder is no run, or for an unknown modality
 * @throws {CheckpointError} when it has no checkpoint
 * @throws {CancelledError} when `signal` fires; modalities that were done are kept
 */
export async function alignRun(options: AlignRunOptions): Promise<AlignedRun> {
  const measured = await MeasuredRun.open(options);
  try {
    const alignments = await alignmentsOf(measured, options.modalities);
    const written = await writeAlignment(measured, alignments);
    const pictures = await picturesOf(measured, alignments, options.pictures ?? []);
    return { ...written, pictures: pictures.flatMap(({ files }) => files) };
  } finally {
    await measured.close();
  }
}

/** Table and JSON in the run's reports. */
export async function writeAlignment(
  measured: MeasuredRun,
  alignments: Alignments,
): Promise<Omit<AlignedRun, "pictures">> {
  const result = resultOf(measured, alignments);
  const markdown = alignmentTable(result);
  const { reports } = measured.run.folder;
  await mkdir(reports, { recursive: true });
  const report = join(reports, "alignment.md");
  await writeJson(join(reports, "alignment.json"), result);
  await writeFileAtomic(report, `${markdown.trim()}\n`);
  return { result, markdown, report };
}

function resultOf(measured: MeasuredRun, alignments: Alignments): AlignmentResult {
  const modalities = Object.fromEntries([...alignments].map(([name, { summary }]) => [name, summary]));
  return {
    samples: Math.max(...Object.values(modalities).map(({ referencePoints }) => referencePoints)),
    seed: measured.alignmentSeed,
    rays: measured.run.config.evaluation.alignment.rays,
    modalities,
  };
}
