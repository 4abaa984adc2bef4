import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Override, RunConfig } from "@gmc/experiment";
import type { EngineChoice } from "./engines.ts";
import type { Finding } from "./finding.ts";
import { firstLine } from "./finding.ts";

/** What a config chooses, and what is wrong with it. */
export interface Chosen {
  readonly engine: EngineChoice;
  readonly findings: readonly Finding[];
}

/** As this installation has them. */
async function defaultEngine(): Promise<EngineChoice> {
  const fallback: EngineChoice = { kind: "onnxruntime", device: "cpu", runner: "auto", threads: 0 };
  return import("@gmc/engine").then(
    ({ EngineConfig }) => EngineConfig.parse({}),
    () => fallback, // what is wrong with the engine shows when it is tried
  );
}

/** @param file  a run's YAML; without one, the flags on the defaults */
export async function readChosen(file: string | undefined, overrides: readonly Override[]): Promise<Chosen> {
  if (file === undefined && overrides.length === 0) return { engine: await defaultEngine(), findings: [] };
  const common = { name: "config", needed: true };
  try {
    const config = await readConfig(file, overrides);
    const { kind, device } = config.engine;
    const found = `${file ?? "flags"}: engine ${kind} on ${device}`;
    const findings = [{ ...common, ok: true, found }, ...(file === undefined ? [] : [await dataFinding(config)])];
    return { engine: config.engine, findings };
  } catch (error) {
    const advice = "Run gmc config FILE until it passes.";
    return { engine: await defaultEngine(), findings: [{ ...common, ok: false, found: firstLine(error), advice }] };
  }
}

async function readConfig(file: string | undefined, overrides: readonly Override[]): Promise<RunConfig> {
  if (file !== undefined) return (await import("../config-file.ts")).readConfigFile(file, overrides);
  const { parseRunConfig } = await import("@gmc/experiment");
  return parseRunConfig({ data: { path: "data" } }, overrides);
}

async function dataFinding({ data: { path } }: RunConfig): Promise<Finding> {
  const common = { name: "data", needed: true };
  if (/^https?:/.test(path)) return { ...common, ok: true, found: `${path} (not fetched here)` };
  const there = await access(join(path, "manifest.json")).then(
    () => true,
    () => false,
  );
  if (there) return { ...common, ok: true, found: path };
  const found = `there is no data set in ${path}`;
  return { ...common, ok: false, found, advice: `Make one: gmc data --help; gmc data synth --out ${path}` };
}
