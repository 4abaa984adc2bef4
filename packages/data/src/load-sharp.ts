import { EnvironmentError } from "@gmc/core";

/**
 * The image library, loaded when a picture is read or written: a machine where its native part is missing can still train.
 *
 * @throws {EnvironmentError} that says how to get it
 */
export async function loadSharp(): Promise<typeof import("sharp").default> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    throw new EnvironmentError(
      "Reading and writing pictures needs the package sharp, whose native library did not load: npm install --include=optional sharp",
      {},
      { cause },
    );
  }
}
