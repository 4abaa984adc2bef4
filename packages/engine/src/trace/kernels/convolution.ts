import { TraceError } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import { matMul } from "../../ir/matmul.ts";
import type { Value } from "../../ir/value.ts";
import { pad, reshape } from "../../ir/views.ts";
import type { Kernel, KernelCall, KernelTable } from "../kernel.ts";
import { numbersAttribute, operand } from "../kernel.ts";
import { positionsOf, sumWindows, tapsOf, windowsOf } from "../windows.ts";
import { fused } from "./dense.ts";

type Shape4 = [number, number, number, number];

/** Windows of the convolution of an input with a filter [height, width, inChannels, outChannels]. */
function convolutionInfo(call: KernelCall, inputShape: readonly number[], filterShape: readonly number[]) {
  const { attributes, kernelName } = call;
  if ((attributes.dataFormat ?? "NHWC") !== "NHWC") {
    throw new TraceError(`${kernelName}: dataFormat ${String(attributes.dataFormat)} cannot be compiled; use "NHWC".`);
  }
  const [strides, dilations] = [attributes.strides, attributes.dilations ?? 1];
  return tf.backend_util.computeConv2DInfo(
    [...inputShape] as Shape4,
    [...filterShape] as Shape4,
    strides as number | [number, number],
    dilations as number | [number, number],
    attributes.pad as "same" | "valid",
    attributes.dimRoundingMode as "floor" | undefined,
  );
}

/** One GEMM: windows [N·positions, taps·C] times filter [taps·C, outChannels]. */
const convolution: Kernel = (call) => {
  const { graph } = call;
  const [x, filter] = [operand(call, "x"), operand(call, "filter")];
  const info = convolutionInfo(call, x.shape, filter.shape);
  const [positions, depth] = [info.batchSize * positionsOf(info), tapsOf(info) * info.inChannels];
  const columns = reshape(graph, windowsOf(graph, x, info), [positions, depth]);
  const product = matMul(graph, columns, reshape(graph, filter, [depth, info.outChannels]));
  return reshape(graph, product, info.outShape);
};

/** The windows again (the same value as in the forward pass), transposed, times dy. */
const filterGradient: Kernel = (call) => {
  const { graph } = call;
  const [x, dy] = [operand(call, "x"), operand(call, "dy")];
  const filterShape = numbersAttribute(call, "filterShape");
  const info = convolutionInfo(call, x.shape, filterShape);
  const [positions, depth] = [info.batchSize * positionsOf(info), tapsOf(info) * info.inChannels];
  const columns = reshape(graph, windowsOf(graph, x, info), [positions, depth]);
  const product = matMul(graph, columns, reshape(graph, dy, [positions, info.outChannels]), true, false);
  return reshape(graph, product, filterShape);
};

/** dy times the filter transposed gives the windows' gradient, which is summed back into pixels. */
const inputGradient: Kernel = (call) => {
  const { graph } = call;
  const [dy, filter] = [operand(call, "dy"), operand(call, "filter")];
  const info = convolutionInfo(call, numbersAttribute(call, "inputShape"), filter.shape);
  const { batchSize, inChannels, outChannels } = info;
  const [positions, taps] = [positionsOf(info), tapsOf(info)];
  const rows = pad(graph, reshape(graph, dy, [batchSize, positions, outChannels]), [
    [0, 0],
    [0, 1],
    [0, 0],
  ]); // a row of zeros
  const flat = reshape(graph, rows, [batchSize * (positions + 1), outChannels]);
  const product = matMul(graph, flat, reshape(graph, filter, [taps * inChannels, outChannels]), false, true);
  const contents = reshape(graph, product, [batchSize, (positions + 1) * taps, inChannels]);
  return sumWindows(graph, contents, info, positions * taps);
};

/** Convolutions of NHWC tensors as matrix products. */
export const convolutionKernels: KernelTable = {
  Conv2D: convolution,
  FusedConv2D: (call) => fused(call, convolution(call) as Value),
  Conv2DBackpropFilter: filterGradient,
  Conv2DBackpropInput: inputGradient,
};
