import { JUDGEMENTS } from "@gmc/experiment";
import { z } from "zod";

/** What is trained for each configuration when `seeds` is a number: 0, 1, 2 and so on. */
const Seeds = z.union([z.int().min(1).max(10_000), z.array(z.int().min(0)).min(1).readonly()]);

/** A sweep as a user writes it: every combination of the grid's values, with every seed. */
export const SweepFile = z
  .strictObject({
    name: z.string().min(1).optional().describe("What the sweep is called; default: the file's name."),
    base: z
      .string()
      .min(1)
      .optional()
      .describe("A run's YAML, from this file's folder, that every configuration starts from."),
    config: z
      .record(z.string(), z.unknown())
      .default({})
      .describe("Values of a run's config, over the base's; without a base all of it."),
    grid: z
      .record(z.string(), z.array(z.unknown()).min(1).readonly())
      .default({})
      .describe('Dotted paths with the values to try: "training.batchSize: [32, 64]".'),
    seeds: Seeds.default(1).describe("How many seeds, from 0, or a list of them."),
    evaluate: z
      .array(z.enum(JUDGEMENTS))
      .readonly()
      .default(["evaluation"])
      .describe("What is found out about each run: evaluation, alignment, both, or [] for training alone."),
    best: z
      .string()
      .min(1)
      .optional()
      .describe("The metric that decides which configuration is best; default: accuracy.complete where there is one."),
  })
  .readonly();
export type SweepFile = z.output<typeof SweepFile>;

/** The seeds themselves, in the order in which they are trained. */
export const seedsOf = ({ seeds }: SweepFile): readonly number[] =>
  typeof seeds === "number" ? Array.from({ length: seeds }, (_, seed) => seed) : seeds;
