import { describe, expect, test } from "vitest";
import { fromTorch, goldenInputs, nameFromTorch, packTensors, permuted } from "./from-torch.ts";
import { goldenMhd, goldenSmall } from "./golden-model.ts";
import { fixturePath } from "./shared.ts";
import { readTensorFile, tensorOf } from "./tensor-file.ts";

const file = readTensorFile(fixturePath("small-model.safetensors"));

test.each([
  ["image.2.weight", "image.conv1.weight"],
  ["image_out.bias", "image.projection.bias"],
  ["sound.3.weight", "sound.conv1.weight"],
  ["sound.7.weight", "sound.norm2.scale"],
  ["joint_sound.1.running_var", "joint.sound.norm0.variance"],
  ["trajectory.2.bias", "trajectory.dense1.bias"],
  ["joint_out.weight", "joint.projection.weight"],
  ["head.4.weight", "head.dense2.weight"],
])("%s is our %s", (torch, ours) => expect(nameFromTorch(torch)).toBe(ours));

test("a name no golden model has is refused", () => {
  expect(() => nameFromTorch("decoder.0.weight")).toThrow(/decoder\.0\.weight/);
});

test("permuted moves axis axes[i] to place i", () => {
  expect([...permuted(Float32Array.of(0, 1, 2, 3, 4, 5), [2, 3], [1, 0])]).toEqual([0, 3, 1, 4, 2, 5]);
});

describe("fromTorch", () => {
  const ours = fromTorch(goldenSmall, file, "param.");

  test("a convolution's weight [o, i, h, w] moves to [h, w, i, o]", () => {
    const torch = tensorOf(file, "param.image.2.weight").data; // [8, 4, 4, 4]
    const at = (o: number, i: number, h: number, w: number) => torch[((o * 4 + i) * 4 + h) * 4 + w];
    expect(ours["image.conv1.weight"]?.[((2 * 4 + 1) * 4 + 3) * 8 + 5]).toBe(at(5, 3, 2, 1));
  });

  test("a weight behind a flattening follows its features from [c, h, w] to [h, w, c]", () => {
    const torch = tensorOf(file, "param.image_out.weight").data; // [10, 8·3·3]
    const feature = { c: 5, h: 1, w: 2 };
    const inTorch = (feature.c * 3 + feature.h) * 3 + feature.w;
    const inOurs = (feature.h * 3 + feature.w) * 8 + feature.c;
    expect(ours["image.projection.weight"]?.[inOurs * 10 + 7]).toBe(torch[7 * 72 + inTorch]);
  });

  test("the joint projection does so block by block", () => {
    const torch = tensorOf(file, "param.joint_out.weight").data; // [10, 72 + 48 + 24 + 4]
    const sound = { torch: 72 + 7 * 4 + 3, ours: 72 + 3 * 12 + 7 }; // channel 7 of frame 3
    expect(ours["joint.projection.weight"]?.[sound.ours * 10 + 1]).toBe(torch[1 * 148 + sound.torch]);
    expect(ours["joint.projection.weight"]?.[147 * 10 + 1]).toBe(torch[1 * 148 + 147]);
  });

  test("a file of another model is refused", () => {
    expect(() => fromTorch(goldenMhd, file, "param.")).toThrow(/does not fit the golden model/);
  });
});

test("goldenInputs gives the rows asked for", () => {
  const all = goldenInputs(goldenSmall, file);
  const shard = goldenInputs(goldenSmall, file, { start: 3, end: 6 });
  expect(shard.trajectory).toEqual(all.trajectory?.slice(60, 120));
  expect(shard.image).toHaveLength(3 * 144);
});

test("packTensors refuses a tensor that is missing or of another size", () => {
  const specs = [{ name: "a", shape: [2] }];
  expect([...packTensors(specs, { a: Float32Array.of(1, 2) })]).toEqual([1, 2]);
  expect(() => packTensors(specs, {})).toThrow(/expected 2 values for a, received none/);
  expect(() => packTensors(specs, { a: Float32Array.of(1) })).toThrow(/received 1/);
});
