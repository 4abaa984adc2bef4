import { sizeOf, TraceError } from "@gmc/core";
import { cast } from "../../ir/cast.ts";
import { arithmetic, compare, scale } from "../../ir/elementwise.ts";
import type { Graph } from "../../ir/graph.ts";
import { matMul } from "../../ir/matmul.ts";
import { lengthOf } from "../../ir/shapes.ts";
import type { Value } from "../../ir/value.ts";
import { gather, reshape } from "../../ir/views.ts";
import { dataTypeOf } from "../backend.ts";
import type { Kernel, KernelTable } from "../kernel.ts";
import { axisAttribute, numberAttribute, operand } from "../kernel.ts";

const gatherKernel: Kernel = (call) => {
  const x = operand(call, "x");
  if (numberAttribute(call, "batchDims", 0) !== 0) {
    throw new TraceError(
      "tf.gather with batchDims cannot be compiled; reshape to one gather, or use tf.oneHot and tf.matMul.",
    );
  }
  const indices = cast(call.graph, operand(call, "indices"), "int32");
  return gather(call.graph, x, indices, axisAttribute(call, "axis", x.shape.length));
};

/** 1 where `indices` (any shape) equals 0 … depth - 1 along a new last axis, else 0. */
function oneHot(graph: Graph, indices: Value, depth: number): Value {
  const classes = graph.constant(
    Int32Array.from({ length: depth }, (_, i) => i),
    [depth],
    "int32",
  );
  const column = reshape(graph, cast(graph, indices, "int32"), [...indices.shape, 1]);
  return cast(graph, compare(graph, "Equal", column, classes), "float32");
}

const oneHotKernel: Kernel = (call) => {
  const { graph } = call;
  const hot = oneHot(graph, operand(call, "indices"), numberAttribute(call, "depth"));
  const [on, off] = [numberAttribute(call, "onValue", 1), numberAttribute(call, "offValue", 0)];
  const values = arithmetic(graph, "Add", scale(graph, hot, on - off), graph.uniform(Math.fround(off), []));
  return cast(graph, values, dataTypeOf(String(call.attributes.dtype ?? "int32")));
};

/** The gradient of a gather: rows summed by segment, as a product with a one-hot matrix, whose order of adding is fixed. */
const segmentSum: Kernel = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const segments = numberAttribute(call, "numSegments");
  const rows = lengthOf(x.shape, 0);
  const rest = x.shape.slice(1);
  const flat = reshape(graph, x, [rows, sizeOf(rest)]);
  const hot = oneHot(graph, operand(call, "segmentIds"), segments); // [rows, segments]
  return reshape(graph, matMul(graph, hot, flat, true, false), [segments, ...rest]);
};

/** Kernels that look up elements by index. */
export const indexingKernels: KernelTable = {
  GatherV2: gatherKernel,
  OneHot: oneHotKernel,
  UnsortedSegmentSum: segmentSum,
};
