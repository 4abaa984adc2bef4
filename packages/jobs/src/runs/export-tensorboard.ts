import { mkdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { ScalarEvent } from "@gmc/protocol";
import { encodeEventFile } from "@gmc/protocol";
import type { MetricsRecord } from "@gmc/storage";
import { openRunFolder, readMetrics, writeFileAtomic } from "@gmc/storage";
import { readStoredRun } from "./stored-run.ts";

/** An event file that was written. */
export interface ExportedEvents {
  readonly run: string;
  readonly file: string;
  readonly events: number;
}

/**
 * Writes a run's scalars as an event file below `folder`, in a folder of the run's name, as TensorBoard wants it: losses,
 * learning rate, gradient norm and speed by step, and what evaluations found at the last step. Exporting again replaces the file.
 *
 * @throws {UsageError} when `run` is no run
 */
export async function exportTensorboard(run: string, folder: string): Promise<ExportedEvents> {
  const opened = await openRunFolder(run);
  const began = await stat(opened.environment).catch(() => stat(opened.config));
  const events = eventsOf(await readMetrics(opened), began.mtimeMs / 1000);
  const { metrics, steps = 0 } = await readStoredRun(run);
  const judged = Object.entries(metrics).filter(([name]) => name.includes("."));
  const last = { wallTime: events.at(-1)?.wallTime ?? began.mtimeMs / 1000, step: steps };
  const found = judged.map(([name, value]) => [name.replace(".", "/"), value] as const);
  const all = found.length > 0 ? [...events, { ...last, scalars: Object.fromEntries(found) }] : events;
  const target = join(folder, basename(opened.path));
  const file = join(target, `events.out.tfevents.${Math.floor(began.mtimeMs / 1000)}.gmc`);
  await mkdir(target, { recursive: true });
  await writeFileAtomic(file, encodeEventFile(all));
  return { run, file, events: all.length };
}

/** Metrics lines as events; a line's seconds count from the call that wrote it, so they begin anew after a resume. */
export function eventsOf(lines: readonly MetricsRecord[], startedAt: number): ScalarEvent[] {
  let [before, latest] = [0, 0];
  return lines.flatMap((line) => {
    const { event, step, wallSeconds } = line;
    if (typeof step !== "number") return [];
    const seconds = typeof wallSeconds === "number" ? wallSeconds : latest;
    if (seconds < latest) before += latest;
    latest = seconds;
    const names = event === "epoch" ? EPOCH : event === "step" ? STEP : [];
    const scalars = names.flatMap(([name, tag]) => {
      const value = line[name];
      return typeof value === "number" ? [[tag, value] as const] : [];
    });
    return scalars.length === 0
      ? []
      : [{ wallTime: startedAt + before + seconds, step, scalars: Object.fromEntries(scalars) }];
  });
}

/** Fields of a line and their tags. */
const STEP = [
  ["loss", "loss/step"],
  ["contrastive", "loss/contrastive"],
  ["local", "loss/local"],
  ["learningRate", "training/learningRate"],
  ["gradientNorm", "training/gradientNorm"],
  ["samplesPerSecond", "training/samplesPerSecond"],
  ["reduceMs", "training/reduceMs"],
  ["gatherMs", "training/gatherMs"],
] as const;
const EPOCH = [
  ["loss", "loss/epoch"],
  ["validationLoss", "loss/validation"],
] as const;
