import { ConfigError } from "@gmc/core";
import type { EvaluationConfig } from "./config.ts";

/** One case of an evaluation: what is present, and what the case is called. */
export interface PresentCase {
  /** "complete", a modality's name, or names joined by "+" in the model's order. */
  readonly name: string;
  /** In the model's order. */
  readonly present: readonly string[];
}

/** Name of the case in which every modality is present. */
export const COMPLETE = "complete";

/**
 * The cases of an evaluation, each once: complete, every single modality, then what `subsets` asks for.
 *
 * @param modalities  the model's
 * @throws {ConfigError} for a name that the model does not have
 */
export function presentCases(modalities: readonly string[], subsets: EvaluationConfig["subsets"]): PresentCase[] {
  const singles = modalities.map((name) => [name]);
  const asked = subsets === "singles" ? [] : subsets === "all" ? allSubsets(modalities) : subsets;
  const cases = new Map<string, PresentCase>();
  for (const names of [modalities, ...singles, ...asked]) {
    const present = inOrder(modalities, names);
    const name = present.length === modalities.length ? COMPLETE : present.join("+");
    if (!cases.has(name)) cases.set(name, { name, present });
  }
  return [...cases.values()];
}

function inOrder(modalities: readonly string[], names: readonly string[]): string[] {
  const unknown = names.find((name) => !modalities.includes(name));
  if (unknown !== undefined) {
    throw new ConfigError(
      `evaluation.subsets: the model has no modality "${unknown}"; it has ${modalities.join(", ")}.`,
      { path: "evaluation.subsets", unknown, known: modalities },
    );
  }
  return modalities.filter((name) => names.includes(name));
}

/** Every non-empty subset, smaller ones first. */
function allSubsets(modalities: readonly string[]): string[][] {
  let subsets: string[][] = [[]];
  for (const name of modalities) subsets = [...subsets, ...subsets.map((subset) => [...subset, name])];
  return subsets.slice(1).sort((a, b) => a.length - b.length);
}
