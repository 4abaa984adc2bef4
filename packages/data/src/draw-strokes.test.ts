import { expect, test } from "vitest";
import { DIGIT_IMAGE, drawStrokes } from "./draw-strokes.ts";

const rowsOf = (image: Uint8Array, size: number): number[][] =>
  Array.from({ length: size }, (_, y) => [...image.subarray(y * size, (y + 1) * size)]);

test("y points up, and the longer side fills the extent", () => {
  const image = rowsOf(drawStrokes([Float64Array.of(0, 0, 0, 5, 4, 5)], { size: 12, extent: 10, penRadius: 0.5 }), 12);
  const inked = image.map((row) => row.filter((value) => value > 0).length);
  expect(inked.findIndex((count) => count > 3)).toBe(1); // the bar is at the top
  expect(inked.findLastIndex((count) => count > 0)).toBe(10);
  expect(image[0]!.every((value) => value === 0)).toBe(true);
});

test("between strokes the pen is lifted", () => {
  const strokes = [Float64Array.of(0, 0, 0, 1), Float64Array.of(1, 0, 1, 1)];
  const image = rowsOf(drawStrokes(strokes, DIGIT_IMAGE), 28);
  expect(image.every((row) => row[14] === 0)).toBe(true);
  const joined = rowsOf(drawStrokes([Float64Array.of(0, 0, 0, 1, 1, 0, 1, 1)], DIGIT_IMAGE), 28);
  expect(joined.some((row) => (row[14] ?? 0) > 100)).toBe(true);
});

test("a thicker pen gives more ink, a dot gives some", () => {
  const ink = (penRadius: number, stroke: Float64Array) =>
    drawStrokes([stroke], { ...DIGIT_IMAGE, penRadius }).reduce((sum, value) => sum + value, 0);
  expect(ink(2, Float64Array.of(0, 0, 1, 1))).toBeGreaterThan(ink(1, Float64Array.of(0, 0, 1, 1)));
  expect(ink(1, Float64Array.of(3, 3))).toBeGreaterThan(255);
});
