import { expect, test } from "vitest";
import type { TensorSpec } from "../onnx/emit.ts";
import { openCApi } from "./c-api.ts";
import { adjacentOutputs, PACKED, packingProgram } from "./packed-outputs.ts";
import type { Place } from "./runner.ts";

const spec = (name: string, shape: number[]): TensorSpec => ({ name, shape, dtype: "float32" });
const [a, b, c] = [spec("a", [2, 3]), spec("b", []), spec("c", [4])];
const names = (blocks: Record<string, Place>, outputs = [a, b, c]) =>
  adjacentOutputs(outputs, new Map(Object.entries(blocks))).map(({ tensors, whole }) => [
    tensors.map(({ name }) => name).join(),
    whole.byteOffset / 4,
    whole.length,
  ]);

test("outputs side by side in one array are one run, in the order of their places", () => {
  const flat = new Float32Array(20);
  expect(names({ a: flat.subarray(6, 12), b: flat.subarray(12, 13), c: flat.subarray(2, 6) })).toEqual([
    ["c,a,b", 2, 11],
  ]);
});

test("a gap, another array, another type and a device's memory end a run", () => {
  const flat = new Float32Array(20);
  expect(names({ a: flat.subarray(0, 6), b: flat.subarray(7, 8), c: flat.subarray(8, 12) })).toEqual([["b,c", 7, 5]]);
  expect(names({ a: flat.subarray(0, 6), b: new Float32Array(1), c: flat.subarray(6, 10) })).toEqual([["a,c", 0, 10]]);
  expect(names({ a: flat.subarray(0, 6), b: { tensor: b }, c: new Float32Array(4) })).toEqual([]);
  expect(names({ a: new Int32Array(flat.buffer, 0, 6), b: flat.subarray(6, 7), c: new Float32Array(4) })).toEqual([]);
});

test("the packing program lays tensors of any shape one after another", async () => {
  const runner = await openCApi(1);
  const session = await runner.open(packingProgram([a, b, c]));
  const packed = new Float32Array(11);
  const blocks = { a: Float32Array.of(1, 2, 3, 4, 5, 6), b: Float32Array.of(7), c: Float32Array.of(8, 9, 10, 11) };
  await session.bind(new Map(Object.entries({ ...blocks, [PACKED]: packed }))).run();
  expect([...packed]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  await session.release();
  runner.close();
});
