import { UsageError } from "@gmc/core";
import { buildDigits, buildMhd } from "@gmc/data";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { showMaking, tellMade } from "../made.ts";
import { integer, oneOf } from "../options.ts";

interface DigitsOptions {
  readonly out: string;
  readonly mnist?: string;
  readonly pen: string;
  readonly speech: string;
  readonly images: "mnist" | "strokes";
  readonly seed: number;
}

/** `gmc data build digits|mhd`: data sets from published files. */
export const dataBuildCommand = (context: Context): Command =>
  new Command("build")
    .description("Make a data set from published files.")
    .helpCommand(false)
    .addHelpText("after", `${DIGITS_EXAMPLES}${MHD_EXAMPLE}`)
    .addCommand(digitsCommand(context))
    .addCommand(mhdCommand(context));

const digitsCommand = (context: Context): Command =>
  new Command("digits")
    .description("Pair MNIST images, pen strokes and spoken digits by class, train with train and test with test.")
    .requiredOption("--out <dir>", "the new folder")
    .option("--mnist <dir>", "MNIST's four IDX files, .gz or not (not needed with --images strokes)")
    .requiredOption("--pen <dir>", "UCI pendigits, the full strokes: pendigits-train, pendigits-test")
    .requiredOption("--speech <dir>", "the Free Spoken Digit Dataset's recordings")
    .option(
      "--images <kind>",
      "mnist, or strokes: the image drawn from the same stroke",
      oneOf("mnist", "strokes"),
      "mnist",
    )
    .option("--seed <n>", "seed of the pairing", integer(0), 0)
    .addHelpText("after", DIGITS_EXAMPLES)
    .action(async ({ mnist, ...options }: DigitsOptions) => {
      refuseOverrides(context, "data build digits");
      if (mnist === undefined && options.images === "mnist") {
        throw new UsageError(
          "gmc data build digits: name MNIST's folder, --mnist DIR, or draw images with --images strokes.",
        );
      }
      const show = showMaking(context);
      const manifest = await buildDigits({
        ...options,
        ...(mnist === undefined ? {} : { mnist }),
        signal: context.signal,
        onProgress: ({ split, done, samples }) => show(done, samples, split),
      });
      tellMade(context, options.out, manifest);
    });

const mhdCommand = (context: Context): Command =>
  new Command("mhd")
    .description(
      "Make the paper's Multimodal Handwritten Digits from the authors' two files; nothing in them is executed.",
    )
    .requiredOption("--train <file>", "mhd_train.pt")
    .requiredOption("--test <file>", "mhd_test.pt")
    .requiredOption("--out <dir>", "the new folder")
    .addHelpText("after", `\nExamples:\n${MHD_EXAMPLE}`)
    .action(async (options: { train: string; test: string; out: string }) => {
      refuseOverrides(context, "data build mhd");
      const show = showMaking(context);
      const manifest = await buildMhd({
        ...options,
        signal: context.signal,
        onProgress: ({ split, done, samples }) => show(done, samples, split),
      });
      tellMade(context, options.out, manifest);
    });

const DIGITS_EXAMPLES = `
Examples:
  gmc data build digits --mnist DIR --pen DIR --speech DIR --out data/digits
  gmc data build digits --images strokes --pen DIR --speech DIR --out data/strokes
`;
const MHD_EXAMPLE = "  gmc data build mhd --train mhd_train.pt --test mhd_test.pt --out data/mhd\n";
