import * as tf from "@tensorflow/tfjs-core";
import { cast } from "../../ir/cast.ts";
import { arithmetic, compare } from "../../ir/elementwise.ts";
import type { Graph } from "../../ir/graph.ts";
import { reduce } from "../../ir/reduce.ts";
import type { Value } from "../../ir/value.ts";
import { expand, pad, reshape } from "../../ir/views.ts";
import type { Kernel, KernelCall, KernelTable } from "../kernel.ts";
import { operand } from "../kernel.ts";
import type { Windows } from "../windows.ts";
import { positionsOf, sumWindows, tapsOf, windowsOf } from "../windows.ts";

const LOWEST = -3.4028234663852886e38; // of float32: padding never wins a maximum

function poolInfo({ attributes }: KernelCall, shape: readonly number[]) {
  return tf.backend_util.computePool2DInfo(
    [...shape] as [number, number, number, number],
    attributes.filterSize as number | [number, number],
    attributes.strides as number | [number, number],
    1,
    attributes.pad as "same" | "valid",
    attributes.dimRoundingMode as "floor" | undefined,
  );
}

const maxPool: Kernel = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const info = poolInfo(call, x.shape);
  return reshape(graph, reduce(graph, "ReduceMax", windowsOf(graph, x, info, LOWEST), [2]), info.outShape);
};

/** dy goes to the first of a window's largest elements. */
const maxPoolGradient: Kernel = (call) => {
  const { graph } = call;
  const [x, dy] = [operand(call, "input"), operand(call, "dy")];
  const info = poolInfo(call, x.shape);
  const contents = windowsOf(graph, x, info, LOWEST); // [N, positions, taps, C]
  const shape = [info.batchSize, positionsOf(info), 1, info.inChannels];
  const attributes = { axis: { int: 2 }, keepdims: { int: 1 } };
  const winner = cast(graph, graph.node("ArgMax", [contents], attributes, shape, "int64"), "int32");
  const taps = graph.constant(
    Int32Array.from({ length: tapsOf(info) }, (_, tap) => tap),
    [tapsOf(info), 1],
    "int32",
  );
  const mask = cast(graph, compare(graph, "Equal", winner, taps), "float32");
  return backIntoPixels(graph, arithmetic(graph, "Mul", mask, reshape(graph, dy, shape)), info);
};

const averagePool: Kernel = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const info = poolInfo(call, x.shape);
  const sums = reduce(graph, "ReduceSum", windowsOf(graph, x, info), [2]); // [N, positions, C]
  return reshape(graph, arithmetic(graph, "Mul", sums, inverseCounts(graph, info)), info.outShape);
};

const averagePoolGradient: Kernel = (call) => {
  const { graph } = call;
  const [x, dy] = [operand(call, "input"), operand(call, "dy")];
  const info = poolInfo(call, x.shape);
  const [positions, channels] = [positionsOf(info), info.inChannels];
  const share = arithmetic(
    graph,
    "Mul",
    reshape(graph, dy, [info.batchSize, positions, channels]),
    inverseCounts(graph, info),
  );
  const shape = [info.batchSize, positions, tapsOf(info), channels];
  const spread = expand(graph, reshape(graph, share, [info.batchSize, positions, 1, channels]), shape);
  return backIntoPixels(graph, spread, info);
};

/** Sums [N, positions, taps, C] into [N, H, W, C]. */
function backIntoPixels(graph: Graph, contents: Value, windows: Windows): Value {
  const entries = positionsOf(windows) * tapsOf(windows);
  const flat = reshape(graph, contents, [windows.batchSize, entries, windows.inChannels]);
  return sumWindows(
    graph,
    pad(graph, flat, [
      [0, 0],
      [0, 1],
      [0, 0],
    ]),
    windows,
    entries,
  );
}

/** [positions, 1]: one over the number of real (not padding) pixels in each window. */
function inverseCounts(graph: Graph, windows: Windows): Value {
  const inverse = new Float32Array(positionsOf(windows));
  for (let i = 0; i < inverse.length; i++) {
    const y = Math.floor(i / windows.outWidth) * windows.strideHeight - windows.padInfo.top;
    const x = (i % windows.outWidth) * windows.strideWidth - windows.padInfo.left;
    inverse[i] =
      1 / (inside(y, windows.filterHeight, windows.inHeight) * inside(x, windows.filterWidth, windows.inWidth));
  }
  return graph.constant(inverse, [inverse.length, 1], "float32");
}

/** How many of start … start + length - 1 lie in 0 … limit - 1. */
const inside = (start: number, length: number, limit: number): number =>
  Math.min(start + length, limit) - Math.max(start, 0);

/** Pooling of NHWC tensors by the windows of the convolutions. */
export const poolingKernels: KernelTable = {
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGradient,
  AvgPool: averagePool,
  AvgPoolGrad: averagePoolGradient,
};
