import { TraceError } from "@gmc/core";
import { arithmetic, elu, unary } from "../../ir/elementwise.ts";
import type { Graph } from "../../ir/graph.ts";
import { matMul } from "../../ir/matmul.ts";
import type { Value } from "../../ir/value.ts";
import type { Kernel, KernelCall, KernelTable } from "../kernel.ts";
import { flagAttribute, numberAttribute, operand } from "../kernel.ts";

const product: Kernel = (call) =>
  matMul(
    call.graph,
    operand(call, "a"),
    operand(call, "b"),
    flagAttribute(call, "transposeA"),
    flagAttribute(call, "transposeB"),
  );

/** What tfjs fuses behind a product or a convolution: a bias, then an activation. */
export function fused(call: KernelCall, result: Value): Value {
  const { graph, inputs, attributes } = call;
  const biased = inputs.bias ? arithmetic(graph, "Add", result, inputs.bias) : result;
  return activate(graph, biased, call, String(attributes.activation ?? "linear"));
}

function activate(graph: Graph, x: Value, call: KernelCall, activation: string): Value {
  switch (activation) {
    case "linear":
      return x;
    case "relu":
      return unary(graph, "Relu", x);
    case "elu":
      return elu(graph, x);
    case "sigmoid":
      return unary(graph, "Sigmoid", x);
    case "leakyrelu":
      return unary(graph, "LeakyRelu", x, { alpha: { float: numberAttribute(call, "leakyreluAlpha", 0.2) } });
    default:
      throw new TraceError(
        `${call.kernelName}: the fused activation "${activation}" cannot be compiled; apply it as an op.`,
      );
  }
}

/** (x - mean) / √(variance + ε) · scale + offset, per channel. */
const batchNorm: Kernel = (call) => {
  const { graph, inputs } = call;
  const epsilon = graph.uniform(Math.fround(numberAttribute(call, "varianceEpsilon")), []);
  const deviation = unary(graph, "Sqrt", arithmetic(graph, "Add", operand(call, "variance"), epsilon));
  const inverse = unary(graph, "Reciprocal", deviation);
  const factor = inputs.scale ? arithmetic(graph, "Mul", inverse, inputs.scale) : inverse;
  const scaled = arithmetic(graph, "Mul", arithmetic(graph, "Sub", operand(call, "x"), operand(call, "mean")), factor);
  return inputs.offset ? arithmetic(graph, "Add", scaled, inputs.offset) : scaled;
};

/** Matrix products and batch normalisation with given statistics. */
export const denseKernels: KernelTable = {
  BatchMatMul: product,
  _FusedMatMul: (call) => fused(call, product(call) as Value),
  FusedBatchNorm: batchNorm,
};
