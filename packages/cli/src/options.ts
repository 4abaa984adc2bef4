import { InvalidArgumentError } from "commander";

/** Readers of option values for commander; what they throw names the option. */

/** An integer of at least `minimum`. */
export const integer =
  (minimum: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(value) && value >= minimum) return value;
    throw new InvalidArgumentError(`Expected an integer of at least ${minimum}.`);
  };

/** One of the given words. */
export const oneOf =
  <Word extends string>(...words: readonly Word[]) =>
  (text: string): Word => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`Expected ${words.join(" or ")}.`);
  };

/** Names separated by commas: "image,sound". */
export function names(text: string): string[] {
  const list = text.split(",").map((name) => name.trim());
  if (list.every((name) => name !== "")) return list;
  throw new InvalidArgumentError("Expected names separated by commas, for instance image,sound.");
}

/** What `evaluation.subsets` takes. */
export type Subsets = string[][] | "all" | "singles";

/** One more subset of modalities, "image,sound" or "image+sound"; "all" and "singles" stand alone. */
export function addSubset(text: string, before: Subsets = []): Subsets {
  if (text === "all" || text === "singles") return text;
  return [...(typeof before === "string" ? [] : before), names(text.replaceAll("+", ","))];
}
