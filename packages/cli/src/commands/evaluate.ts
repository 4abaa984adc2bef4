import { evaluateFolder } from "@gmc/experiment";
import { Command } from "commander";
import type { Context } from "../context.ts";
import type { Subsets } from "../options.ts";
import { addSubset } from "../options.ts";
import { showProgress } from "../progress.ts";

/** `gmc evaluate RUN`: the missing-modality table of a trained model. */
export const evaluateCommand = (context: Context): Command =>
  new Command("evaluate")
    .description(
      "Accuracy of a classifier on the frozen codes, from all modalities and from some (recall where there are no labels).",
    )
    .argument("<run>", "a run's folder")
    .option(
      "--subsets <list...>",
      "more cases beside complete and every single modality: image,sound sound,label, or all",
      addSubset,
    )
    .addHelpText("after", EXAMPLES)
    .action(async (run: string, options: { subsets?: Subsets }) => {
      const { result, markdown, report } = await evaluateFolder({
        run,
        overrides: [
          ...context.overrides,
          ...(options.subsets ? [["evaluation.subsets", options.subsets] as const] : []),
        ],
        signal: context.signal,
        logger: context.logger,
        onProgress: showProgress(context.status),
      });
      context.status.end();
      context.output.result(result, `${markdown.trim()}\n\nKept as ${report}`);
    });

const EXAMPLES = `
Values of the sections evaluation, engine and data can be given as flags: --data.path data/other --evaluation.classifier.epochs 5

Examples:
  gmc evaluate runs/a
  gmc evaluate runs/a --subsets image,sound sound,trajectory --json
  gmc evaluate runs/a --subsets all
`;
