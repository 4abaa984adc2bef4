import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { ConfigError, UsageError } from "@gmc/core";
import type { Override } from "@gmc/experiment";
import { readSource } from "@gmc/experiment";
import type { SweepText } from "./plan-sweep.ts";
import { parseSweepFile, planSweep } from "./plan-sweep.ts";
import type { Sweep } from "./sweep.ts";

/**
 * The sweep that a file describes, every config of it checked.
 *
 * @throws {UsageError} when the file cannot be read
 * @throws {ConfigError} naming the line at fault
 */
export async function readSweep(file: string, overrides: readonly Override[] = []): Promise<Sweep> {
  const content = await readFile(file, "utf8").catch((cause: unknown) => {
    const message = `${file} cannot be read; expected a sweep's YAML, such as examples/demo-sweep.yaml.`;
    throw new UsageError(message, { file }, { cause });
  });
  const base = await readBase({ file, content });
  return planSweep({ file, content, overrides, ...(base && { base }) });
}

async function readBase(text: SweepText): Promise<SweepText | undefined> {
  const { base } = parseSweepFile(text);
  if (base === undefined) return undefined;
  const file = isAbsolute(base) ? base : join(dirname(text.file), base);
  const content = await readFile(file, "utf8").catch((cause: unknown) => {
    const line = readSource({ content: text.content, name: text.file }).locate(["base"]) ?? text.file;
    throw new ConfigError(`base: ${file} cannot be read (${line}).`, { path: "base", file }, { cause });
  });
  return { file, content };
}
