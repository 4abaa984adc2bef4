import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** Versions of what decides the bits of a run, by package, as far as they can be found. */
export function packageVersions(): Record<string, string> {
  const own: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const found: Record<string, string> = { "@gmc/experiment": versionOf(own) };
  for (const name of ["onnxruntime-node", "@tensorflow/tfjs-core"]) {
    try {
      found[name] = versionOf(createRequire(import.meta.resolve("@gmc/engine"))(`${name}/package.json`));
    } catch {} // a package that hides its manifest is left out
  }
  return found;
}

const versionOf = (manifest: unknown): string => String((manifest as { version?: unknown }).version ?? "unknown");
