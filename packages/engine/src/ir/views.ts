import type { Shape } from "@gmc/core";
import { sameShape } from "@gmc/core";
import type { Graph } from "./graph.ts";
import { lengthOf } from "./shapes.ts";
import type { Attributes, Value } from "./value.ts";
import { nodeOf, uniformOf } from "./value.ts";

/** The same elements in another shape. */
export function reshape(graph: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (x.source.kind === "uniform") return graph.uniform(x.source.value, shape, x.dtype);
  if (x.source.kind === "constant") return graph.constant(x.source.data, shape, x.dtype);
  const inner = nodeOf(x, "Reshape")?.inputs[0];
  if (inner) return reshape(graph, inner, shape);
  return graph.node("Reshape", [x, graph.integers(shape)], {}, shape, x.dtype);
}

/** Repeats axes of length 1 to give `shape`. */
export function expand(graph: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const constant = uniformOf(x);
  if (constant !== undefined) return graph.uniform(constant, shape, x.dtype);
  return graph.node("Expand", [x, graph.integers(shape)], {}, shape, x.dtype);
}

/** Axis i of the result is axis `order[i]` of `x`. Where only axes of length 1 move it is a reshape. */
export function transpose(graph: Graph, x: Value, order: readonly number[]): Value {
  if (order.every((axis, i) => axis === i)) return x;
  const shape = order.map((axis) => lengthOf(x.shape, axis));
  const constant = uniformOf(x);
  if (constant !== undefined) return graph.uniform(constant, shape, x.dtype);
  const moved = order.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || (moved[i - 1] ?? 0) < axis)) return reshape(graph, x, shape);
  const inner = nodeOf(x, "Transpose");
  const before = inner && transposeOrder(inner.attributes);
  if (inner?.inputs[0] && before) {
    return transpose(
      graph,
      inner.inputs[0],
      order.map((axis) => before[axis] ?? 0),
    );
  }
  return graph.node("Transpose", [x], { perm: { ints: order } }, shape, x.dtype);
}

/** The axis order of a Transpose node. */
export function transposeOrder({ perm }: Attributes): readonly number[] | undefined {
  return perm && "ints" in perm ? perm.ints : undefined;
}

/** Elements `begin[i] + k·steps[i]`, k < shape[i], along every axis; a step may be negative. */
export function slice(graph: Graph, x: Value, begin: Shape, shape: Shape, steps: Shape = shape.map(() => 1)): Value {
  const axes = shape.map((_, i) => i).filter((i) => begin[i] !== 0 || shape[i] !== x.shape[i] || steps[i] !== 1);
  if (axes.length === 0) return x;
  const constant = uniformOf(x);
  if (constant !== undefined) return graph.uniform(constant, shape, x.dtype);
  const starts = axes.map((i) => begin[i] ?? 0);
  const strides = axes.map((i) => steps[i] ?? 1);
  const ends = axes.map((i) => sliceEnd(begin[i] ?? 0, shape[i] ?? 0, steps[i] ?? 1));
  const bounds = [starts, ends, axes, strides].map((values) => graph.integers(values));
  return graph.node("Slice", [x, ...bounds], {}, shape, x.dtype);
}

/** ONNX's exclusive end; going down past element 0 has no index, so "before everything". */
function sliceEnd(begin: number, length: number, step: number): number {
  const last = begin + (length - 1) * step;
  if (step > 0) return last + 1;
  return last === 0 ? -2147483648 : last - 1;
}

/** The tensors one after another along `axis`. */
export function concat(graph: Graph, parts: readonly Value[], axis: number): Value {
  const [first] = parts;
  if (!first) throw new RangeError("concat: no tensors given");
  if (parts.length === 1) return first;
  const length = parts.reduce((sum, part) => sum + lengthOf(part.shape, axis), 0);
  const shape = first.shape.map((own, i) => (i === axis ? length : own));
  return graph.node("Concat", parts, { axis: { int: axis } }, shape, first.dtype);
}

/** `x` with `pads[i]` = [before, after] elements of `value` around axis i. */
export function pad(graph: Graph, x: Value, pads: readonly (readonly [number, number])[], value = 0): Value {
  if (pads.every(([before, after]) => before === 0 && after === 0)) return x;
  const shape = x.shape.map((length, i) => length + (pads[i]?.[0] ?? 0) + (pads[i]?.[1] ?? 0));
  if (uniformOf(x) === value) return graph.uniform(value, shape, x.dtype);
  const amounts = graph.integers([...pads.map(([before]) => before), ...pads.map(([, after]) => after)]);
  return graph.node("Pad", [x, amounts, graph.uniform(value, [], x.dtype)], {}, shape, x.dtype);
}

/** `x[…, indices[…], …]` along `axis`. */
export function gather(graph: Graph, x: Value, indices: Value, axis: number): Value {
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  const constant = uniformOf(x);
  if (constant !== undefined) return graph.uniform(constant, shape, x.dtype);
  return graph.node("Gather", [x, indices], { axis: { int: axis } }, shape, x.dtype);
}

/** `x` at the places of `table` along `axis`. */
export function pick(graph: Graph, x: Value, table: readonly number[], axis: number): Value {
  if (table.length === x.shape[axis] && table.every((place, i) => place === i)) return x;
  return gather(graph, x, graph.constant(Int32Array.from(table), [table.length], "int32"), axis);
}
