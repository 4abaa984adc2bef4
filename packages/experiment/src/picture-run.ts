import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { EnvironmentError } from "@gmc/core";
import type { JudgedCodes, ModalityAlignment, PictureCodes, PictureModality } from "@gmc/evaluation";
import { fontsMissing, projectionPicture, renderPng } from "@gmc/evaluation";
import { exists, writeFileAtomic } from "@gmc/storage";
import type { Alignments } from "./alignments.ts";
import { judgedCodesOf, settingsOf } from "./alignments.ts";
import type { MeasuredRun } from "./measured-run.ts";

export type PictureMethod = "umap" | "pca";

export interface PictureOptions {
  /** How codes that the alignment calls outliers are shown. Default "pale". */
  readonly outliers?: "pale" | "hide" | "same";
  /** Codes of each kind in a panel at most. Default 2,000. */
  readonly points?: number;
}

/** A picture of a run, kept in its `reports/` as SVG and PNG. */
export interface RunPicture {
  readonly method: PictureMethod;
  readonly svg: string;
  readonly files: readonly string[];
}

/** How pictures are drawn: a change makes a new number, and pictures kept before are drawn again. */
const DRAWING = 2;

/**
 * Complete codes against each aligned modality's in the plane, with the alignment's outliers. Written to
 * `reports/umap.svg` and `.png`, `reports/pca.svg` and `.png`.
 */
export async function picturesOf(
  measured: MeasuredRun,
  alignments: Alignments,
  methods: readonly PictureMethod[],
  options: PictureOptions = {},
): Promise<RunPicture[]> {
  const pictures: RunPicture[] = [];
  for (const method of methods) {
    const svg = await pictureOf(measured, alignments, method, options);
    pictures.push({ method, svg, files: await writePicture(measured, method, svg) });
  }
  return pictures;
}

function pictureOf(
  measured: MeasuredRun,
  alignments: Alignments,
  method: PictureMethod,
  { outliers = "pale", points = 2000 }: PictureOptions,
): Promise<string> {
  const settings = [...alignments.keys()].map((name) => settingsOf(measured, name));
  const dependsOn = { drawing: DRAWING, method, outliers, points, settings };
  const file = { read: (path: string) => readFile(path, "utf8"), write: writeFileAtomic };
  return measured.cache.get<string>([method, ".svg"], dependsOn, file, async () => {
    const { dataset } = await measured.trained();
    const complete = await measured.codes(measured.model.modalities);
    const { signal, onProgress } = measured.call;
    const label = method === "umap" ? "Laying out (UMAP)" : "Laying out (PCA)";
    return projectionPicture({
      method,
      dim: complete.dim,
      complete,
      modalities: await pictureModalities(measured, alignments),
      classes: dataset.classes,
      outliers,
      samples: points,
      seed: measured.alignmentSeed,
      signal,
      ...(onProgress && {
        onProgress: (done) => onProgress({ phase: "task", label, done: 1000 * done, total: 1000 }),
      }),
    });
  });
}

async function pictureModalities(measured: MeasuredRun, alignments: Alignments): Promise<PictureModality[]> {
  const modalities: PictureModality[] = [];
  for (const [name, { summary, outliers }] of alignments) {
    const judged = await judgedCodesOf(measured, name.split("+"));
    const completeOutliers = outliers.subarray(0, summary.referencePoints);
    const own = outliers.subarray(summary.referencePoints);
    modalities.push({ name, ...eachSample(judged, own), completeOutliers, note: noteOf(summary) });
  }
  return modalities;
}

/** Codes that were judged once, again for every sample: a picture shows how many each stands for. */
function eachSample({ codes, labels, dim, codeOf }: JudgedCodes, outliers: Uint8Array): PictureCodes {
  if (!codeOf) return { codes, labels, outliers };
  const repeated = new Float32Array(codeOf.length * dim);
  codeOf.forEach((code, sample) => {
    repeated.set(codes.subarray(code * dim, (code + 1) * dim), sample * dim);
  });
  return {
    codes: repeated,
    labels: labels && Int32Array.from(codeOf, (code) => labels[code] ?? 0),
    outliers: Uint8Array.from(codeOf, (code) => outliers[code] ?? 0),
  };
}

const noteOf = ({ precision, recall, quality, score }: ModalityAlignment): string =>
  `P ${precision.toFixed(2)}  R ${recall.toFixed(2)}  q ${quality.toFixed(2)}  score ${score.toFixed(2)}`;

/** SVG, and PNG where this machine can draw one; files that hold the picture already stay. */
async function writePicture({ run, call }: MeasuredRun, method: PictureMethod, svg: string): Promise<string[]> {
  const path = join(run.folder.reports, `${method}.svg`);
  const png = join(run.folder.reports, `${method}.png`);
  const before = await readFile(path, "utf8").catch(() => undefined);
  if (before === svg && (await exists(png))) return [path, png];
  await mkdir(run.folder.reports, { recursive: true });
  await writeFileAtomic(path, svg);
  try {
    if (await fontsMissing()) call.logger?.warn("no font on this machine: the PNG has no text, the SVG has", { png });
    await writeFileAtomic(png, await renderPng(svg));
    return [path, png];
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    call.logger?.warn(`no PNG, the SVG is there: ${error.message}`, { png });
    return [path];
  }
}
