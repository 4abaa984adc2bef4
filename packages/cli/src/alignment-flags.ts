import type { Override } from "@gmc/experiment";
import type { Command } from "commander";
import { integer } from "./options.ts";

/** Flags of the commands that align: short forms of `--evaluation.alignment.…`. */
export interface AlignmentFlags {
  readonly rays?: number;
  readonly samples?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly fresh?: true;
}

export const addAlignmentFlags = (command: Command): Command =>
  command
    .option("--rays <n>", "random lines through every code; default: 10,000, as in the paper", integer(1))
    .option("--samples <n>", "test samples at most; default: 10,000", integer(1))
    .option("--seed <n>", "of the drawn samples and the lines; default: the run's", integer(0))
    .option("--threads <n>", "threads; default: one a core", integer(0))
    .option("--fresh", "compute anew what the run has kept");

export const alignmentOverrides = ({ rays, samples, seed, threads }: AlignmentFlags): Override[] =>
  Object.entries({ rays, samples, seed, threads }).flatMap(([name, value]): Override[] =>
    value === undefined ? [] : [[`evaluation.alignment.${name}`, value]],
  );
