import type { Shape } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import { arithmetic, scale } from "./elementwise.ts";
import type { Graph } from "./graph.ts";
import { reducedShape } from "./shapes.ts";
import type { Value } from "./value.ts";
import { uniformOf } from "./value.ts";
import { reshape, slice } from "./views.ts";

export type ReduceOperation = "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd";

/** Sums over the leading axes shorter than this stay one node. */
const LONG_ROWS = 256;

/** Reduces `x` over `axes` (non-negative, in any order). */
export function reduce(
  graph: Graph,
  operation: ReduceOperation,
  x: Value,
  axes: readonly number[],
  keepAxes = false,
): Value {
  const sorted = [...axes].sort((a, b) => a - b);
  const shape = reducedShape(x.shape, sorted, keepAxes);
  if (sorted.every((axis) => x.shape[axis] === 1)) return reshape(graph, x, shape);
  const constant = uniformOf(x);
  if (constant !== undefined && operation !== "ReduceProd" && x.dtype === "float32") {
    const count = operation === "ReduceSum" ? sizeOf(x.shape) / sizeOf(shape) : 1;
    return graph.uniform(Math.fround(constant * count), shape);
  }
  const leading = sorted.every((axis, i) => axis === i) && sorted.length < x.shape.length;
  if (operation === "ReduceSum" && leading && x.dtype === "float32") {
    return reshape(graph, sumRows(graph, x, sorted.length), shape);
  }
  return reduceNode(graph, operation, x, sorted, keepAxes);
}

/** The mean over `axes`. */
export function mean(graph: Graph, x: Value, axes: readonly number[], keepAxes = false): Value {
  const count = sizeOf(x.shape) / sizeOf(reducedShape(x.shape, axes, false));
  return scale(graph, reduce(graph, "ReduceSum", x, axes, keepAxes), 1 / count);
}

/**
 * Sum over the first `axes` axes. onnxruntime adds leading rows one after another, so a long sum loses digits
 * (batch-norm means were 6e-7 off instead of 1.2e-7): sum blocks of about √rows rows, then the blocks.
 */
function sumRows(graph: Graph, x: Value, axes: number): Value {
  const rest = x.shape.slice(axes);
  const rows = sizeOf(x.shape.slice(0, axes));
  const flat = reshape(graph, x, [rows, ...rest]); // [rows, …]
  if (rows < LONG_ROWS) return reduceNode(graph, "ReduceSum", flat, [0], false);
  const block = blockRows(rows);
  const blocks = Math.floor(rows / block);
  const whole = slice(graph, flat, zeros(flat), [blocks * block, ...rest]);
  const partial = reduceNode(graph, "ReduceSum", reshape(graph, whole, [blocks, block, ...rest]), [1], false);
  const sum = reduceNode(graph, "ReduceSum", partial, [0], false); // [blocks, …] → […]
  if (blocks * block === rows) return sum;
  const tail = slice(graph, flat, [blocks * block, ...rest.map(() => 0)], [rows - blocks * block, ...rest]);
  return arithmetic(graph, "Add", sum, reduceNode(graph, "ReduceSum", tail, [0], false));
}

/**
 * The sums for which onnxruntime chooses between two orders of adding by the number of threads, in one order for any number
 * (docs/0007-same-bits-on-any-number-of-threads.md): over middle axes, and over outer ones around what stays.
 */
function steadySum(graph: Graph, x: Value, axes: readonly number[]): Value | undefined {
  const runs = runsOf(x.shape, axes);
  const lengths = runs.map(({ length }) => length);
  const pattern = runs.map(({ reduced }) => (reduced ? "R" : "K")).join("");
  const [first = 1, second = 1, third = 1] = lengths;
  const flat = reshape(graph, x, lengths);
  if (pattern === "KRK") return graph.node("MatMul", [graph.uniform(1, [1, second]), flat], {}, [first, 1, third]);
  if (pattern === "RKR") return reduce(graph, "ReduceSum", reduceNode(graph, "ReduceSum", flat, [2], false), [0]);
  return undefined;
}

/** Neighbouring axes that are all reduced or all kept as one; axes of length 1 are neither. */
function runsOf(shape: Shape, axes: readonly number[]): { reduced: boolean; length: number }[] {
  const runs: { reduced: boolean; length: number }[] = [];
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const reduced = axes.includes(axis);
    const last = runs.at(-1);
    if (last?.reduced === reduced) last.length *= length;
    else runs.push({ reduced, length });
  }
  return runs;
}

const zeros = (x: Value): number[] => x.shape.map(() => 0);

/** The largest divisor of `rows` up to √rows if it is at least 8, else √rows rounded down: then a few rows are left over. */
function blockRows(rows: number): number {
  const root = Math.floor(Math.sqrt(rows));
  for (let divisor = root; divisor >= 8; divisor--) if (rows % divisor === 0) return divisor;
  return root;
}

function reduceNode(
  graph: Graph,
  operation: ReduceOperation,
  x: Value,
  axes: readonly number[],
  keepAxes: boolean,
): Value {
  const steady = operation === "ReduceSum" && x.dtype === "float32" ? steadySum(graph, x, axes) : undefined;
  if (steady) return reshape(graph, steady, reducedShape(x.shape, axes, keepAxes));
  const attributes = { keepdims: { int: keepAxes ? 1 : 0 } };
  return graph.node(operation, [x, graph.integers(axes)], attributes, reducedShape(x.shape, axes, keepAxes), x.dtype);
}
