import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { UsageError } from "@gmc/core";
import type { Override, RunConfig } from "@gmc/experiment";
import { parseRunConfig } from "@gmc/experiment";

/** The effective config of a file and the command line's flags. @throws {UsageError} when the file cannot be read */
export async function readConfigFile(file: string, overrides: readonly Override[]): Promise<RunConfig> {
  const content = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new UsageError(
      `${file} cannot be read; expected a run's YAML, such as examples/demo.yaml.`,
      { file },
      { cause },
    );
  });
  return parseRunConfig(content, overrides, { file });
}

/** A new run's folder below runs/: the config's name, else its file's, and the time to the second. */
export function defaultRunFolder(config: RunConfig, file: string, now: Date): string {
  const name = config.name ?? basename(file, extname(file));
  const time = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  return `runs/${name}-${time}`;
}
