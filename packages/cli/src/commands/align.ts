import { UsageError } from "@gmc/core";
import { alignmentSpread, alignmentSpreadTable } from "@gmc/evaluation";
import type { AlignedRun, Override, PictureMethod } from "@gmc/experiment";
import { alignRun, experimentDifferences, findRuns, loadRun } from "@gmc/experiment";
import { Command } from "commander";
import type { AlignmentFlags } from "../alignment-flags.ts";
import { addAlignmentFlags, alignmentOverrides } from "../alignment-flags.ts";
import type { Context } from "../context.ts";
import { names } from "../options.ts";
import { showProgress } from "../progress.ts";

interface AlignOptions extends AlignmentFlags {
  readonly modalities?: string[];
  readonly pictures?: true;
}

/** `gmc align RUN`: do the codes of one modality lie where the complete ones lie? */
export const alignCommand = (context: Context): Command =>
  addAlignmentFlags(new Command("align"))
    .description("Geometric alignment of the codes of each modality with complete ones (Delaunay component analysis).")
    .argument("<run...>", "folders of runs, or of a sweep; several must differ in their seed only")
    .option(
      "--modalities <list>",
      "what is compared, for instance image,sound,image+sound; default: every modality",
      names,
    )
    .option("--pictures", "also draw the codes in the plane: UMAP and PCA as SVG and PNG in the run's reports")
    .addHelpText("after", EXAMPLES)
    .action((runs: string[], options: AlignOptions) => align(context, runs, options));

async function align(context: Context, paths: readonly string[], options: AlignOptions): Promise<void> {
  const { output, status, signal, logger } = context;
  const overrides = [...context.overrides, ...alignmentOverrides(options)];
  const runs = await findRuns(paths);
  await refuseOthers(runs, overrides);
  const aligned: { readonly run: string; readonly found: AlignedRun }[] = [];
  for (const run of runs) {
    const found = await alignRun({
      run,
      overrides,
      ...(options.modalities && { modalities: options.modalities }),
      ...(options.pictures && { pictures: PICTURES }),
      ...(options.fresh && { fresh: true }),
      signal,
      logger,
      onProgress: showProgress(status),
    });
    status.end();
    aligned.push({ run, found });
  }
  const documents = aligned.map(({ run, found: { result, pictures } }) => ({
    run,
    ...result,
    ...(options.pictures && { pictures }),
  }));
  const texts = aligned.map(({ run, found }) => runText(run, found, aligned.length > 1));
  if (aligned.length === 1) return output.result(documents[0], texts.join(""));
  const results = aligned.map(({ found }) => found.result);
  const document = { runs: documents, modalities: alignmentSpread(results) };
  output.result(document, [...texts, alignmentSpreadTable(results)].join("\n\n"));
}

const PICTURES: readonly PictureMethod[] = ["umap", "pca"];

/** @throws {UsageError} naming what differs beside the seed: a mean over different experiments means nothing */
async function refuseOthers([first, ...others]: readonly string[], overrides: readonly Override[]): Promise<void> {
  if (first === undefined) return;
  const one = await loadRun(first, overrides);
  for (const run of others) {
    const differing = experimentDifferences(one, await loadRun(run, overrides));
    if (differing.length === 0) continue;
    const message = `${run} and ${first} differ in ${differing.join(", ")}; a mean is taken over seeds only. Align them one by one, or compare them with gmc report.`;
    throw new UsageError(message, { differing });
  }
}

function runText(run: string, { markdown, report, pictures }: AlignedRun, several: boolean): string {
  const files = [report, ...pictures];
  return `${several ? `${run}\n\n` : ""}${markdown.trim()}\n\nKept as ${files.join(", ")}`;
}

const EXAMPLES = `
precision: share of the modality's codes in components that mix them with complete codes; recall: share of the complete codes
there; quality: share of edges that join the two; score: harmonic mean of the three. A modality with few different codes
(a label) is compared by these, each once, rounded to 4 decimals. Results are kept in the run and found again.

Examples:
  gmc align runs/a
  gmc align runs/a --modalities image,sound --rays 1000 --samples 2000 --json
  gmc align runs/seed-0 runs/seed-1 runs/seed-2                 mean and standard deviation
  gmc align runs/a --pictures
`;
