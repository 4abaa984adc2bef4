import type { Shape } from "@gmc/core";
import { ShapeError } from "@gmc/core";

/** Shape of an elementwise result: axes are aligned at the end, an axis of length 1 stretches. @throws {ShapeError} */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new ShapeError("broadcast", a, b);
    return x === 1 ? y : x;
  });
}

/** Length of an axis that must exist. @throws {RangeError} */
export function lengthOf(shape: Shape, axis: number): number {
  const length = shape[axis];
  if (length === undefined) throw new RangeError(`Axis ${axis} of a tensor of shape [${shape}] does not exist.`);
  return length;
}

/** The shape after reducing `axes`: dropped, or kept with length 1. */
export const reducedShape = (shape: Shape, axes: readonly number[], keepAxes: boolean): number[] =>
  keepAxes
    ? shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
    : shape.filter((_, axis) => !axes.includes(axis));
