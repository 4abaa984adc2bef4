import { encodeRun } from "@gmc/experiment";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { names } from "../options.ts";
import { showProgress } from "../progress.ts";
import { grouped } from "../text-table.ts";

interface EncodeOptions {
  readonly out: string;
  readonly split: string;
  readonly modalities?: string[];
}

/** `gmc encode RUN`: a split's codes in a file. */
export const encodeCommand = (context: Context): Command =>
  new Command("encode")
    .description("Write the codes of a split, from all modalities or from some.")
    .argument("<run>", "a run's folder")
    .requiredOption("--out <file>", "where the codes go: .npy, or .safetensors with the labels")
    .option("--split <name>", "which split of the data set", "test")
    .option("--modalities <list>", "modalities that are present, for instance image,sound; default: all", names)
    .addHelpText("after", EXAMPLES)
    .action(async (run: string, options: EncodeOptions) => {
      const encoded = await encodeRun({
        run,
        out: options.out,
        split: options.split,
        ...(options.modalities ? { modalities: options.modalities } : {}),
        overrides: context.overrides,
        signal: context.signal,
        logger: context.logger,
        onProgress: showProgress(context.status),
      });
      context.status.end();
      const { codes: _, ...document } = encoded;
      const from = encoded.modalities.join(", ");
      context.output.result(
        document,
        `${grouped(encoded.samples)} codes of ${encoded.dim} numbers from ${from} are in ${encoded.out}`,
      );
    });

const EXAMPLES = `
Examples:
  gmc encode runs/a --data.path data/synth --split test --modalities image,sound --out codes.npy
  gmc encode runs/a --split train --out codes.safetensors
`;
