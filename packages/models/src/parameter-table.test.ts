import type { Model } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import { goldenMhd } from "@gmc/testkit";
import { expect, test } from "vitest";
import { buildModel } from "./build-model.ts";
import { parameterTable } from "./parameter-table.ts";

/** Trained values under names that start with `prefix`, less those under `without`. */
const count = (model: Model, prefix: string, without = "-"): number =>
  model.parameters
    .filter(({ name }) => name.startsWith(prefix) && !name.startsWith(without))
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);

test("preset mhd has the paper's 2,884,224 parameters, module by module those of the PyTorch model", async () => {
  const model = await buildModel({ preset: "mhd" }, goldenMhd.modalities);
  expect({
    image: count(model, "image.", "image.projection"),
    image_out: count(model, "image.projection"),
    sound: count(model, "sound.", "sound.projection"),
    sound_out: count(model, "sound.projection"),
    trajectory: count(model, "trajectory.", "trajectory.projection"),
    trajectory_out: count(model, "trajectory.projection"),
    label_out: count(model, "label."),
    joint_image: count(model, "joint.image."),
    joint_sound: count(model, "joint.sound."),
    joint_trajectory: count(model, "joint.trajectory."),
    joint_out: count(model, "joint.projection"),
    head: count(model, "head."),
  }).toEqual({
    image: 132_096,
    image_out: 401_472,
    sound: 214_016,
    sound_out: 131_136,
    trajectory: 365_568,
    trajectory_out: 32_832,
    label_out: 704,
    joint_image: 132_096,
    joint_sound: 214_016,
    joint_trajectory: 365_568,
    joint_out: 565_952,
    head: 328_768,
  });
  expect(count(model, "")).toBe(2_884_224);
});

test("the table lists the parts in flat order: modalities, joint, head", async () => {
  const model = await buildModel({ preset: "mhd" }, goldenMhd.modalities);
  expect(parameterTable(model)).toEqual({
    parts: [
      { part: "image", parameters: 533_568 },
      { part: "sound", parameters: 345_152 },
      { part: "trajectory", parameters: 398_400 },
      { part: "label", parameters: 704 },
      { part: "joint", parameters: 1_277_632 },
      { part: "head", parameters: 328_768 },
    ],
    total: 2_884_224,
  });
});

test("weights and biases start as PyTorch's do: U(±1/√fanIn), batch norm at 1 and 0", async () => {
  const { parameters, buffers } = await buildModel({ preset: "mhd" }, goldenMhd.modalities);
  const start = (name: string) => parameters.find((spec) => spec.name === name)?.initialiser;
  expect(start("image.conv1.weight")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(4 * 4 * 64) });
  expect(start("sound.conv0.weight")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(128) });
  expect(start("sound.conv2.weight")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(4 * 128) });
  expect(start("joint.projection.weight")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(8842) });
  expect(start("joint.projection.bias")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(8842) });
  expect(start("sound.norm0.scale")).toEqual({ kind: "constant", value: 1 });
  expect(start("sound.norm0.shift")).toEqual({ kind: "constant", value: 0 });
  expect(buffers.find(({ name }) => name === "joint.sound.norm2.mean")).toEqual({
    name: "joint.sound.norm2.mean",
    shape: [256],
    initial: 0,
    momentum: 0.1,
  });
  expect(buffers.find(({ name }) => name === "joint.sound.norm2.variance")?.initial).toBe(1);
});
