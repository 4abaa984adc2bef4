import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Model } from "./model.ts";
import { partRanges, tensorLayout, tensorViews } from "./tensor-layout.ts";
import { initialTrainState, weightsSha256 } from "./train-state.ts";

const model: Model = {
  parameters: [
    { name: "b.weight", shape: [2, 3], initialiser: { kind: "uniform", bound: 0.5 }, part: "b" },
    { name: "a.bias", shape: [2], initialiser: { kind: "constant", value: 1 }, part: "a" },
  ],
  buffers: [{ name: "aa.mean", shape: [1], initial: 3, momentum: 0.1 }],
  modalities: [],
  inputs: () => [],
  forward: () => ({}),
  encode: () => {
    throw new Error("not called");
  },
};

test("the initial state draws each parameter by its own name, within its bound", () => {
  const state = initialTrainState(model, 5);
  const weight = [...state.parameters.subarray(0, 6)];
  expect(weight.every((value) => Math.abs(value) <= 0.5)).toBe(true);
  expect(new Set(weight).size).toBe(6);
  expect([...state.parameters.subarray(6)]).toEqual([1, 1]);
  expect([...state.buffers]).toEqual([3]);
  const reordered = { ...model, parameters: [...model.parameters].reverse() };
  expect([...initialTrainState(reordered, 5).parameters.subarray(2)]).toEqual(weight);
  expect([...initialTrainState(model, 6).parameters.subarray(0, 6)]).not.toEqual(weight);
});

test("the weights' sha256 is that of the bytes in name order", () => {
  const state = initialTrainState(model, 5);
  const expected = createHash("sha256")
    .update(Buffer.from(Float32Array.of(1, 1, 3).buffer)) // a.bias, aa.mean
    .update(Buffer.from(state.parameters.slice(0, 6).buffer)) // b.weight
    .digest("hex");
  expect(weightsSha256(model, state)).toBe(expected);
});

test("a layout packs tensors without gaps, views share memory, twice the same name is refused", () => {
  const layout = tensorLayout(model.parameters);
  expect(layout.entries.map(({ start, end }) => [start, end])).toEqual([
    [0, 6],
    [6, 8],
  ]);
  const flat = new Float32Array(layout.length);
  tensorViews(layout, flat)["a.bias"]!.fill(2);
  expect([...flat]).toEqual([0, 0, 0, 0, 0, 0, 2, 2]);
  expect(() => tensorLayout([model.parameters[0]!, model.parameters[0]!])).toThrow(/share a name/);
});

test("a part is one range of the flat vector; a part in two pieces is refused", () => {
  const spec = (name: string, part: string) => ({ name, part, shape: [2] });
  const ranges = partRanges([spec("x", "image"), spec("y", "image"), spec("z", "head")]);
  expect([...ranges]).toEqual([
    ["image", { start: 0, end: 4 }],
    ["head", { start: 4, end: 6 }],
  ]);
  expect(() => partRanges([spec("x", "image"), spec("y", "head"), spec("z", "image")])).toThrow(/part "image"/);
});
