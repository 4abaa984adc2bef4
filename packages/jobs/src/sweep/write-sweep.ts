import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@gmc/core";
import { DataError, EnvironmentError, silentLogger, UsageError } from "@gmc/core";
import { renderPng } from "@gmc/evaluation";
import { exists, readJson, writeFileAtomic, writeJson } from "@gmc/storage";
import { z } from "zod";
import { sweepChart } from "./sweep-chart.ts";
import { SweepResult } from "./sweep-result.ts";
import { sweepCsv, sweepMarkdown } from "./sweep-tables.ts";

/** Writes `sweep.json`, `.md`, `.csv`, `.svg` and, where this machine can draw one, `.png` into the sweep's folder; gives their paths. */
export async function writeSweep(
  out: string,
  result: SweepResult,
  logger: Logger = silentLogger,
): Promise<readonly string[]> {
  const path = (extension: string): string => join(out, `sweep.${extension}`);
  await mkdir(out, { recursive: true });
  await writeJson(path("json"), result);
  await writeFileAtomic(path("md"), sweepMarkdown(result));
  await writeFileAtomic(path("csv"), sweepCsv(result));
  const svg = sweepChart(result);
  if (svg === undefined) return ["json", "md", "csv"].map(path);
  await writeFileAtomic(path("svg"), svg);
  const png = await renderPng(svg).catch((error: unknown) => {
    if (!(error instanceof EnvironmentError)) throw error;
    logger.warn(`no PNG, the SVG is there: ${error.message}`, { png: path("png") });
    return undefined;
  });
  if (png) await writeFileAtomic(path("png"), png);
  return ["json", "md", "csv", "svg", ...(png ? ["png"] : [])].map(path);
}

/** The result in a sweep's folder. @throws {UsageError} when there is none, {DataError} when it is no sweep's */
export async function readSweepResult(out: string): Promise<SweepResult> {
  const path = join(out, "sweep.json");
  if (!(await exists(path))) throw new UsageError(`${out} has no results of a sweep: there is no ${path}.`, { out });
  const parsed = SweepResult.safeParse(await readJson(path));
  if (parsed.success) return parsed.data;
  throw new DataError(`${path} is not a sweep's result: ${z.prettifyError(parsed.error)}`, { path });
}
