import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialTrainState, silentLogger } from "@gmc/core";
import { synthesiseDigits } from "@gmc/data";
import type { RunConfig, RunConfigInput, RunRecord } from "@gmc/experiment";
import { openRunFolderFor, parseRunConfig, trainMember } from "@gmc/experiment";
import { openDropoutTraining } from "./dropout-training.ts";

/** A folder with a small data set in it, for processes to work in. */
export interface WorkFolder {
  readonly path: string;
  /** A folder for a run, absolute. */
  run(name: string): string;
  close(): void;
}

export async function smallData(samples = 128): Promise<WorkFolder> {
  const path = mkdtempSync(join(tmpdir(), "gmc-cluster-"));
  await synthesiseDigits({ out: join(path, "data"), train: samples, test: 8, seed: 1 });
  return { path, run: (name) => join(path, name), close: () => rmSync(path, { recursive: true, force: true }) };
}

/** A small run with everything that can go wrong in it: batch norm, dropout, validation, several epochs. 24 steps. */
export function smallRun({ training, ...rest }: Partial<RunConfigInput> = {}): RunConfig {
  return parseRunConfig({
    name: "small",
    seed: 3,
    data: { path: "data", threads: 0 },
    model: {
      modalities: {
        sound: { encoder: { kind: "spectrogram", channels: [4, 4] } }, // batch norm
        trajectory: { encoder: { kind: "mlp", widths: [8] } },
        label: { encoder: { kind: "linear" } },
      },
      commonDim: 8,
      latentDim: 8,
      head: { widths: [8] },
    },
    engine: { threads: 1 },
    training: { batchSize: 24, shards: 4, epochs: 6, validation: { fraction: 0.25 }, ...training },
    ...rest,
  });
}

/** The same run in this process alone: what every cluster has to end with. */
export async function runAlone(folder: WorkFolder, config: RunConfig, name: string): Promise<RunRecord> {
  const here = { ...config, data: { ...config.data, path: join(folder.path, "data") } };
  const training = await openDropoutTraining(here);
  try {
    const start = await openRunFolderFor({ config, out: folder.run(name), resume: false, training });
    const state = initialTrainState(training.model, config.seed);
    const { record } = await trainMember({ training, config, state, folder: start.folder, logger: silentLogger });
    if (!record) throw new Error("no record");
    return record;
  } finally {
    await training.close();
  }
}
