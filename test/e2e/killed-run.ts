import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "@gmc/storage";
import { expect } from "vitest";
import type { TrainDocument } from "./gmc.ts";
import { gmc, gmcJson, ROOT, sleep, start } from "./gmc.ts";

const ARGS = ["train", join(ROOT, "examples/demo.yaml"), "--data.path", "data/synth", "--training.epochs", "10"];

/** Makes the data and a run that nobody kills, in `folder`. */
export async function wholeRun(folder: string): Promise<TrainDocument> {
  const data = ["data", "synth", "--out", "data/synth", "--train", "128", "--test", "20", "--seed", "1"];
  const made = await gmc(data, folder);
  expect(made.code, made.stderr).toBe(0);
  return gmcJson<TrainDocument>([...ARGS, "--out", "runs/whole"], folder);
}

/** When a run is killed: so many milliseconds after its standard error showed a text, or after its start. */
export interface Moment {
  readonly after?: RegExp;
  readonly ms: number;
}

/**
 * Kills a run as the moment says, checks that its checkpoint is whole or absent, and gives the record of the run that went on.
 *
 * @returns `killed` is false when the run had ended before
 */
export async function killAndResume(folder: string, out: string, { after, ms }: Moment) {
  const running = start([...ARGS, "--out", out], folder);
  if (after) await running.shows(after);
  await sleep(ms);
  running.child.kill("SIGKILL");
  const { signal } = await running.ended;
  const last = join(folder, out, "checkpoints/last.json");
  if (existsSync(last)) {
    const { file } = JSON.parse(readFileSync(last, "utf8"));
    await readSafetensors(join(folder, out, "checkpoints", file)); // whole, or it throws
  }
  const isRun = existsSync(join(folder, out, "config.yaml"));
  const args = [...ARGS, "--out", out, ...(isRun ? ["--resume"] : [])];
  return { killed: signal === "SIGKILL", record: await gmcJson<TrainDocument>(args, folder) };
}
