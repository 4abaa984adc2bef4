/** Saves checkpoints for ever in the folder that the argument names, until it is killed. Each state is a function of its step. */
import type { Model, TrainState } from "@gmc/core";
import { openCheckpoints } from "./checkpoints.ts";

/** Large enough for a kill to fall into the middle of a file: 1.2 MB a state. */
export const WRITTEN_MODEL: Model = {
  parameters: [{ name: "w", shape: [100_000], initialiser: { kind: "constant", value: 0 }, part: "w" }],
  buffers: [],
  modalities: [],
  inputs: () => [],
  forward: () => ({}),
  encode: () => {
    throw new Error("not used");
  },
};

export const WRITTEN_IDENTITY = { config: { seed: 1 }, dataSha256: "d" };

export const writtenState = (step: number): TrainState => ({
  step,
  parameters: new Float32Array(100_000).fill(step),
  firstMoment: new Float32Array(100_000).fill(step / 2),
  secondMoment: new Float32Array(100_000).fill(step / 4),
  buffers: new Float32Array(0),
  beta1Power: 1 / (step + 1),
  beta2Power: 1 / (step + 2),
  progress: { epochLossSum: step, epochLosses: [step], best: { loss: step, epoch: 1 } },
});

const [, , folder] = process.argv;
if (folder && process.argv[1]?.includes("checkpoint-writer")) await saveForEver(folder);

async function saveForEver(folder: string): Promise<never> {
  const checkpoints = openCheckpoints(folder, WRITTEN_MODEL, WRITTEN_IDENTITY);
  const last = await checkpoints.load("last");
  for (let step = (last?.step ?? 0) + 1; ; step++) {
    await checkpoints.save(writtenState(step), "last");
    if (step % 3 === 0) await checkpoints.save(writtenState(step), "best");
    process.stdout.write(`${step}\n`);
  }
}
