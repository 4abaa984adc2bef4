import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Model, TrainState } from "@gmc/core";
import { CheckpointError, initialTrainState, sha256OfJson } from "@gmc/core";
import { sha256OfFile } from "@gmc/storage";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCheckpoints, readCheckpoint } from "./checkpoints.ts";
import { linearModel } from "./linear-replica.testing.ts";

const IDENTITY = { config: { seed: 1, name: undefined, list: [1, 2] }, dataSha256: "d".repeat(64) };
let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "gmc-checkpoints-")), "checkpoints");
});
afterEach(() => rm(join(folder, ".."), { recursive: true, force: true }));

function stateAt(step: number, loss = 1 / 3): TrainState {
  const state = initialTrainState(linearModel, step);
  return {
    ...state,
    step,
    firstMoment: state.firstMoment.map((_, i) => 0.1 * i + step),
    secondMoment: state.secondMoment.map((_, i) => 1e-20 * i),
    buffers: state.buffers.map((_, i) => i - 0.1),
    beta1Power: 0.9 * 0.9 * 0.9,
    beta2Power: 1 - Number.EPSILON,
    progress: { epochLossSum: loss, epochLosses: [0.1 + 0.2, loss], best: { loss, epoch: 2 } },
  };
}

test("a state comes back with the same bits, in another process too", async () => {
  const file = await openCheckpoints(folder, linearModel, IDENTITY).save(stateAt(123), "last");
  expect(file).toBe(join(folder, "step-00000123.safetensors"));
  expect(await openCheckpoints(folder, linearModel, IDENTITY).load("last")).toEqual(stateAt(123));
  expect(await readCheckpoint(folder, "last", linearModel)).toEqual(stateAt(123));
});

test("the pointer names file, step, sums and config", async () => {
  const file = await openCheckpoints(folder, linearModel, IDENTITY).save(stateAt(7), "best");
  expect(JSON.parse(await readFile(join(folder, "best.json"), "utf8"))).toMatchObject({
    file: "step-00000007.safetensors",
    step: 7,
    sha256: await sha256OfFile(file),
    config: { seed: 1, list: [1, 2] },
    configSha256: sha256OfJson({ list: [1, 2], seed: 1 }),
    dataSha256: IDENTITY.dataSha256,
  });
});

test("where nothing was saved there is nothing", async () => {
  const checkpoints = openCheckpoints(folder, linearModel, IDENTITY);
  for (const kind of ["last", "best"] as const) {
    expect(await checkpoints.find(kind)).toBeUndefined();
    expect(await checkpoints.load(kind)).toBeUndefined();
    expect(await readCheckpoint(folder, kind, linearModel)).toBeUndefined();
  }
});

test("files go once neither last nor best names them", async () => {
  const checkpoints = openCheckpoints(folder, linearModel, IDENTITY);
  const tensors = async () => (await readdir(folder)).filter((name) => name.endsWith(".safetensors")).sort();
  await checkpoints.save(stateAt(1), "last");
  await checkpoints.save(stateAt(1), "best");
  expect(await tensors()).toEqual(["step-00000001.safetensors"]);
  await checkpoints.save(stateAt(2), "last");
  await checkpoints.save(stateAt(3), "last");
  expect(await tensors()).toEqual(["step-00000001.safetensors", "step-00000003.safetensors"]);
  await checkpoints.save(stateAt(3), "best");
  expect(await tensors()).toEqual(["step-00000003.safetensors"]);
  expect([(await checkpoints.load("last"))?.step, (await checkpoints.load("best"))?.step]).toEqual([3, 3]);
  expect(await checkpoints.find("best")).toBe(join(folder, "step-00000003.safetensors"));
});

test("a later process never writes over the file that a pointer names", async () => {
  const first = await openCheckpoints(folder, linearModel, IDENTITY).save(stateAt(5), "best");
  const again = openCheckpoints(folder, linearModel, IDENTITY);
  const second = await again.save(stateAt(5, 0.5), "last");
  expect(second).not.toBe(first);
  expect((await again.load("best"))?.progress.epochLossSum).toBe(1 / 3);
  expect((await again.load("last"))?.progress.epochLossSum).toBe(0.5);
});

test("another run's checkpoint is neither loaded nor written over", async () => {
  await openCheckpoints(folder, linearModel, IDENTITY).save(stateAt(5), "last");
  const other = () => openCheckpoints(folder, linearModel, { ...IDENTITY, config: { seed: 2, list: [1, 2] } });
  await expect(other().load("last")).rejects.toThrow("seed was 1, is 2");
  await expect(other().find("best")).rejects.toThrow(CheckpointError);
  await expect(other().save(stateAt(6), "last")).rejects.toThrow("seed was 1, is 2");
  await expect(openCheckpoints(folder, linearModel, { ...IDENTITY, dataSha256: "e" }).load("last")).rejects.toThrow(
    "data set",
  );
  expect(await readCheckpoint(folder, "last", linearModel)).toEqual(stateAt(5));
});

test("damage is found and named: a changed byte, a short file, a missing file, a broken pointer", async () => {
  const checkpoints = openCheckpoints(folder, linearModel, IDENTITY);
  const file = await checkpoints.save(stateAt(5), "last");
  const bytes = await readFile(file);
  await writeFile(
    file,
    bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte)),
  );
  await expect(checkpoints.load("last")).rejects.toThrow(/step-00000005\.safetensors is damaged: its sha256 should be/);
  await writeFile(file, bytes.subarray(0, 100));
  await expect(checkpoints.load("last")).rejects.toThrow(CheckpointError);
  await rm(file);
  await expect(checkpoints.load("last")).rejects.toThrow("is missing");
  await writeFile(join(folder, "last.json"), "{");
  await expect(openCheckpoints(folder, linearModel, IDENTITY).load("last")).rejects.toThrow(
    "last.json does not name a checkpoint",
  );
});

test("another model's tensors are refused by name", async () => {
  await openCheckpoints(folder, linearModel, IDENTITY).save(stateAt(5), "last");
  const changed = (parameters: Model["parameters"]): Model => ({ ...linearModel, parameters });
  const [weight, bias] = linearModel.parameters;
  const wider = changed([{ ...weight!, shape: [4] }, bias!]);
  await expect(readCheckpoint(folder, "last", wider)).rejects.toThrow(
    "parameter.weight is float32 [3], expected float32 [4]",
  );
  await expect(readCheckpoint(folder, "last", changed([weight!]))).rejects.toThrow(
    "parameter.bias, which this model does not have",
  );
  const more = changed([weight!, bias!, { ...bias!, name: "scale" }]);
  await expect(readCheckpoint(folder, "last", more)).rejects.toThrow("it lacks parameter.scale");
});
