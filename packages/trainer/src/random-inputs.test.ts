import type { InputSpec, Model } from "@gmc/core";
import { randomKey, threefry } from "@gmc/core";
import { expect, test } from "vitest";
import { randomInputs } from "./random-inputs.ts";
import { fillWords } from "./random-words.ts";

const model = (specs: readonly Omit<InputSpec, "shape">[], width: number): Model => ({
  parameters: [],
  buffers: [],
  modalities: [],
  inputs: (rows) => specs.map((spec) => ({ ...spec, shape: [rows, width] })),
  forward: () => ({}),
  encode: () => {
    throw new Error("not used");
  },
});
const drawn = model(
  [
    { name: "mask", source: { kind: "mask", keep: 0.9 } },
    { name: "noise", source: { kind: "noise" } },
    { name: "image", source: { kind: "modality" } },
  ],
  501, // odd: the last pair of a row is half used
);

test("words are those of core's Threefry", () => {
  const key = randomKey(7, "input/mask", 3);
  const words = new Uint32Array(10);
  fillWords(key, 12, words);
  expect([...words]).toEqual(Array.from({ length: 5 }, (_, i) => threefry(key, i, 12)).flat());
});

test("only masks and noise are drawn", () => {
  expect(Object.keys(randomInputs(drawn, 1).draw(0, 0, 0, 2))).toEqual(["mask", "noise"]);
});

test("the bits do not depend on how the batch is cut into shards or on the order of draws", () => {
  const whole = randomInputs(drawn, 1).draw(5, 0, 0, 8);
  const cut = randomInputs(drawn, 1);
  cut.draw(4, 1, 2, 2);
  for (const shard of [3, 1, 0, 2]) {
    const part = cut.draw(5, shard, 2 * shard, 2);
    for (const name of ["mask", "noise"]) {
      expect(part[name]).toEqual(whole[name]?.slice(2 * shard * 501, (2 * shard + 2) * 501));
    }
  }
});

test("seed, step, name and place give different bits; the shards of a step have arrays of their own", () => {
  const random = randomInputs(drawn, 1);
  const first = random.draw(5, 0, 0, 4);
  const others = [random.draw(5, 1, 4, 4), random.draw(6, 2, 0, 4), randomInputs(drawn, 2).draw(5, 0, 0, 4)];
  for (const other of others) {
    expect(other.mask).not.toEqual(first.mask);
    expect(other.noise).not.toEqual(first.noise);
  }
  const renamed = model([{ name: "other", source: { kind: "noise" } }], 501);
  expect(randomInputs(renamed, 1).draw(5, 0, 0, 4).other).not.toEqual(first.noise);
});

test("a mask holds 1/keep or 0 in the right share, noise has mean 0, variance 1 and normal tails", () => {
  const { mask, noise } = randomInputs(drawn, 3).draw(0, 0, 0, 400) as { mask: Float32Array; noise: Float32Array };
  expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / 0.9)]));
  const share = mask.filter((value) => value > 0).length / mask.length;
  expect(Math.abs(share - 0.9)).toBeLessThan(5 * Math.sqrt((0.9 * 0.1) / mask.length));
  const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
  const variance = noise.reduce((sum, value) => sum + value * value, 0) / noise.length;
  const beyond2 = noise.filter((value) => Math.abs(value) > 2).length / noise.length;
  expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(noise.length));
  expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / noise.length));
  expect(Math.abs(beyond2 - 0.0455)).toBeLessThan(5 * Math.sqrt(0.0455 / noise.length));
});

test("validation's masks are ones and its noise zeros", () => {
  const { mask, noise } = randomInputs(drawn, 3).neutral(2);
  expect(new Set(mask)).toEqual(new Set([1]));
  expect(new Set(noise)).toEqual(new Set([0]));
  expect(noise?.length).toBe(2 * 501);
});

test("masks that keep everything are all ones", () => {
  const all = randomInputs(model([{ name: "mask", source: { kind: "mask", keep: 1 } }], 64), 1).draw(0, 0, 0, 64);
  expect(new Set(all.mask)).toEqual(new Set([1]));
});
