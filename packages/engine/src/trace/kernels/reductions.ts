import { cast } from "../../ir/cast.ts";
import type { ReduceOperation } from "../../ir/reduce.ts";
import { mean, reduce } from "../../ir/reduce.ts";
import type { Value } from "../../ir/value.ts";
import type { Kernel, KernelCall, KernelTable } from "../kernel.ts";
import { axesAttribute, axisAttribute, flagAttribute, operand } from "../kernel.ts";

/** tfjs names the axes `axis` or, in Max, `reductionIndices`. */
const axesOf = (call: KernelCall, x: Value): number[] =>
  axesAttribute(call, call.attributes.reductionIndices === undefined ? "axis" : "reductionIndices", x.shape);

const reduction =
  (operation: ReduceOperation): Kernel =>
  (call) => {
    const x = operand(call, "x");
    const numeric = x.dtype === "bool" ? cast(call.graph, x, "int32") : x;
    return reduce(call.graph, operation, numeric, axesOf(call, x), flagAttribute(call, "keepDims"));
  };

/** All or any of booleans, as the smallest or largest of 0 and 1. */
const quantifier =
  (operation: ReduceOperation): Kernel =>
  (call) =>
    cast(call.graph, reduction(operation)(call) as Value, "bool");

const meanKernel: Kernel = (call) => {
  const x = operand(call, "x");
  return mean(call.graph, cast(call.graph, x, "float32"), axesOf(call, x), flagAttribute(call, "keepDims"));
};

const indexOf =
  (operation: "ArgMax" | "ArgMin"): Kernel =>
  (call) => {
    const { graph } = call;
    const x = operand(call, "x");
    const [axis = 0] = axesOf(call, x);
    const attributes = { axis: { int: axis }, keepdims: { int: 0 } };
    return cast(graph, graph.node(operation, [x], attributes, x.shape.toSpliced(axis, 1), "int64"), "int32");
  };

const softmax: Kernel = (call) => {
  const logits = operand(call, "logits");
  const axis = axisAttribute(call, "dim", logits.shape.length);
  return call.graph.node("Softmax", [logits], { axis: { int: axis } }, logits.shape);
};

const cumulativeSum: Kernel = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const axis = graph.uniform(axisAttribute(call, "axis", x.shape.length), [], "int32");
  const exclusive = { int: flagAttribute(call, "exclusive") ? 1 : 0 };
  const reverse = { int: flagAttribute(call, "reverse") ? 1 : 0 };
  return graph.node("CumSum", [x, axis], { exclusive, reverse }, x.shape, x.dtype);
};

/** Kernels that run along an axis. */
export const reductionKernels: KernelTable = {
  Sum: reduction("ReduceSum"),
  Max: reduction("ReduceMax"),
  Min: reduction("ReduceMin"),
  Prod: reduction("ReduceProd"),
  All: quantifier("ReduceMin"),
  Any: quantifier("ReduceMax"),
  Mean: meanKernel,
  ArgMax: indexOf("ArgMax"),
  ArgMin: indexOf("ArgMin"),
  Softmax: softmax,
  Cumsum: cumulativeSum,
};
