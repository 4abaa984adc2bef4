import { importDataset } from "@gmc/data";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { showMaking, tellMade } from "../made.ts";

/** `gmc data import FILE.yaml`: a data set from a user's own files. */
export const dataImportCommand = (context: Context): Command =>
  new Command("import")
    .description(
      "Make a data set from your own files (npy, npz, csv, wav, idx, folders of images), as a YAML file says.",
    )
    .argument("<file>", "the YAML file; its paths start at its folder")
    .requiredOption("--out <dir>", "the new folder")
    .addHelpText("after", "\nExamples:\n  gmc data import examples/own-data/import.yaml --out data/own\n")
    .action(async (file: string, { out }: { out: string }) => {
      refuseOverrides(context, "data import");
      const show = showMaking(context);
      const manifest = await importDataset(file, out, {
        signal: context.signal,
        onProgress: ({ done, samples }) => show(done, samples),
      });
      tellMade(context, out, manifest);
    });
