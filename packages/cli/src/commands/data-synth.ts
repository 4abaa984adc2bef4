import { synthesiseDigits } from "@gmc/data";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { showMaking, tellMade } from "../made.ts";
import { integer } from "../options.ts";

interface SynthOptions {
  readonly out: string;
  readonly train: number;
  readonly test: number;
  readonly seed: number;
}

/** `gmc data synth`: digits from nothing. */
export const dataSynthCommand = (context: Context): Command =>
  new Command("synth")
    .description("Make handwritten and spoken digits from nothing: image, sound, trajectory, label.")
    .requiredOption("--out <dir>", "the new folder")
    .option("--train <n>", "training samples", integer(1), 2000)
    .option("--test <n>", "test samples", integer(1), 500)
    .option("--seed <n>", "seed of everything drawn", integer(0), 0)
    .addHelpText("after", "\nExamples:\n  gmc data synth --out data/synth --train 2000 --test 500 --seed 1\n")
    .action(async ({ out, train, test, seed }: SynthOptions) => {
      refuseOverrides(context, "data synth");
      const { signal } = context;
      tellMade(
        context,
        out,
        await synthesiseDigits({ out, train, test, seed, signal, onProgress: showMaking(context) }),
      );
    });
