import type { Shape } from "@gmc/core";
import { sameShape, sizeOf } from "@gmc/core";
import type { Graph } from "./graph.ts";
import { broadcastShapes } from "./shapes.ts";
import type { Attributes, DataType, Value } from "./value.ts";
import { nodeOf, uniformOf } from "./value.ts";
import { expand, reshape } from "./views.ts";

/** Operations of two float32, int32 or bool tensors; comparisons and logic give bool. */
export type BinaryOperation = ArithmeticOperation | ComparisonOperation;
type ArithmeticOperation = "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Max" | "Min" | "PRelu";
type ComparisonOperation = "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Equal" | "And" | "Or" | "Xor";

/** An operation on every element; same shape, same type unless `dtype` is given. */
export const unary = (
  graph: Graph,
  operation: string,
  x: Value,
  attributes: Attributes = {},
  dtype: DataType = x.dtype,
): Value => graph.node(operation, [x], attributes, x.shape, dtype);

/** A comparison or a logical operation with broadcasting. */
export const compare = (graph: Graph, operation: ComparisonOperation, a: Value, b: Value): Value =>
  binaryNode(graph, operation, a, b, broadcastShapes(a.shape, b.shape), "bool");

/**
 * Arithmetic on two tensors of one type with broadcasting, simplified where the result has the same bits or is nearer to the
 * exact one: constants are folded, neutral elements dropped, a division by a constant becomes a product, nested
 * constant factors are merged, expansions are left to the operation's own broadcasting.
 */
export function arithmetic(graph: Graph, operation: ArithmeticOperation, a: Value, b: Value): Value {
  const shape = broadcastShapes(a.shape, b.shape);
  return (
    foldConstants(graph, operation, a, b, shape) ??
    dropNeutral(graph, operation, a, b, shape) ??
    divideByConstant(graph, operation, a, b) ??
    mergeFactors(graph, operation, a, b, shape) ??
    absorbNegation(graph, operation, a, b) ??
    binaryNode(graph, operation, a, b, shape, a.dtype)
  );
}

/** `x` times a number. */
export const scale = (graph: Graph, x: Value, factor: number): Value =>
  arithmetic(graph, "Mul", x, graph.uniform(Math.fround(factor), []));

/**
 * ln x. onnxruntime's Log takes another algorithm for what its vectors leave over at the end of a thread's part, so that the bits
 * depend on the number of threads; a log of sums of one element does not (docs/0007-same-bits-on-any-number-of-threads.md).
 */
export function logarithm(graph: Graph, x: Value): Value {
  const column = reshape(graph, x, [sizeOf(x.shape), 1]);
  const logs = graph.node("ReduceLogSum", [column, graph.integers([1])], { keepdims: { int: 0 } }, [sizeOf(x.shape)]);
  return reshape(graph, logs, x.shape);
}

/** x where it is positive, else alpha·(exp x - 1); for the same reason not onnxruntime's Elu, Selu and Softplus. */
export function elu(graph: Graph, x: Value, alpha = 1): Value {
  const zero = graph.uniform(0, []);
  const exp = unary(graph, "Exp", arithmetic(graph, "Min", x, zero));
  const negative = scale(graph, arithmetic(graph, "Sub", exp, graph.uniform(1, [])), alpha);
  return arithmetic(graph, "Add", arithmetic(graph, "Max", x, zero), negative);
}

/** ln(1 + exp x) */
export function softplus(graph: Graph, x: Value): Value {
  const exp = unary(graph, "Exp", negate(graph, unary(graph, "Abs", x)));
  const log = logarithm(graph, arithmetic(graph, "Add", exp, graph.uniform(1, [])));
  return arithmetic(graph, "Add", arithmetic(graph, "Max", x, graph.uniform(0, [])), log);
}

/** Negation, folded into a constant where it can be. */
export function negate(graph: Graph, x: Value): Value {
  const constant = uniformOf(x);
  if (constant !== undefined) return graph.uniform(-constant, x.shape, x.dtype);
  return nodeOf(x, "Neg")?.inputs[0] ?? unary(graph, "Neg", x);
}

function foldConstants(graph: Graph, operation: ArithmeticOperation, a: Value, b: Value, shape: Shape) {
  const x = uniformOf(a);
  const y = uniformOf(b);
  if (x === undefined || y === undefined || a.dtype !== "float32") return undefined;
  if (operation === "Add") return graph.uniform(Math.fround(x + y), shape);
  if (operation === "Sub") return graph.uniform(Math.fround(x - y), shape);
  if (operation === "Mul") return graph.uniform(Math.fround(x * y), shape);
  if (operation === "Div") return graph.uniform(Math.fround(x / y), shape);
  return undefined;
}

function dropNeutral(graph: Graph, operation: ArithmeticOperation, a: Value, b: Value, shape: Shape) {
  const left = operation === "Add" ? 0 : operation === "Mul" ? 1 : undefined;
  if (left !== undefined && uniformOf(a) === left) return expand(graph, b, shape);
  const right =
    operation === "Add" || operation === "Sub" ? 0 : operation === "Mul" || operation === "Div" ? 1 : undefined;
  if (right !== undefined && uniformOf(b) === right) return expand(graph, a, shape);
  return undefined;
}

function divideByConstant(graph: Graph, operation: ArithmeticOperation, a: Value, b: Value) {
  const divisor = uniformOf(b);
  if (operation !== "Div" || divisor === undefined || divisor === 0 || a.dtype !== "float32") return undefined;
  return arithmetic(graph, "Mul", a, graph.uniform(Math.fround(1 / divisor), b.shape));
}

/** (x·c₁)·c₂ → x·(c₁·c₂), unless the merged factor leaves the range where float32 is exact to its last bit. */
function mergeFactors(graph: Graph, operation: ArithmeticOperation, a: Value, b: Value, shape: Shape) {
  if (operation !== "Mul" || a.dtype !== "float32") return undefined;
  const [factor, product] = uniformOf(a) === undefined ? [uniformOf(b), a] : [uniformOf(a), b];
  const [x, inner] = nodeOf(product, "Mul")?.inputs ?? [];
  const innerFactor = inner && uniformOf(inner);
  if (factor === undefined || x === undefined || innerFactor === undefined) return undefined;
  const merged = Math.fround(factor * innerFactor);
  if (!(Math.abs(merged) > 1e-30 && Math.abs(merged) < 1e30)) return undefined;
  return expand(graph, arithmetic(graph, "Mul", x, graph.uniform(merged, [])), shape);
}

function absorbNegation(graph: Graph, operation: ArithmeticOperation, a: Value, b: Value) {
  const minusA = nodeOf(a, "Neg")?.inputs[0];
  const minusB = nodeOf(b, "Neg")?.inputs[0];
  if (operation === "Add" && minusB) return arithmetic(graph, "Sub", a, minusB);
  if (operation === "Add" && minusA) return arithmetic(graph, "Sub", b, minusA);
  if (operation === "Sub" && minusB) return arithmetic(graph, "Add", a, minusB);
  return undefined;
}

function binaryNode(
  graph: Graph,
  operation: BinaryOperation,
  a: Value,
  b: Value,
  shape: Shape,
  dtype: DataType,
): Value {
  let left = shrink(graph, a, b.shape, shape);
  let right = shrink(graph, b, left.shape, shape);
  const commutes = operation === "Add" || operation === "Mul";
  const constantFirst = uniformOf(left) !== undefined && uniformOf(right) === undefined;
  const ordered = left.id <= right.id || uniformOf(right) !== undefined;
  if (commutes && (constantFirst || !ordered)) [left, right] = [right, left]; // one order for a·b and b·a; constants second
  return graph.node(operation, [left, right], {}, shape, dtype);
}

/** `x` without the expansion that broadcasting against `other` does anyway; a uniform becomes a scalar. */
function shrink(graph: Graph, x: Value, other: Shape, shape: Shape): Value {
  const constant = uniformOf(x);
  if (constant !== undefined) return sameShape(other, shape) ? graph.uniform(constant, [], x.dtype) : x;
  const inner = nodeOf(x, "Expand")?.inputs[0];
  if (!inner || !sameShape(broadcastShapes(inner.shape, other), shape)) return x;
  return shrink(graph, inner, other, shape);
}
