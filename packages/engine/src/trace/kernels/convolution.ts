import { TraceError } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import type { Value } from "../../ir/value.ts";
import { convolve, filterGradient, inputGradient } from "../convolution.ts";
import type { Kernel, KernelCall, KernelTable } from "../kernel.ts";
import { numbersAttribute, operand } from "../kernel.ts";
import type { Windows } from "../windows.ts";
import { fused } from "./dense.ts";

type Shape4 = [number, number, number, number];

/** Windows of the convolution of an input with a filter [height, width, inChannels, outChannels]. */
function windowsOf(call: KernelCall, inputShape: readonly number[], filterShape: readonly number[]): Windows {
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

const convolution: Kernel = (call) => {
  const [x, filter] = [operand(call, "x"), operand(call, "filter")];
  return convolve(call.graph, x, filter, windowsOf(call, x.shape, filter.shape));
};

const gradientInFilter: Kernel = (call) => {
  const [x, dy] = [operand(call, "x"), operand(call, "dy")];
  return filterGradient(call.graph, x, dy, windowsOf(call, x.shape, numbersAttribute(call, "filterShape")));
};

const gradientInInput: Kernel = (call) => {
  const [dy, filter] = [operand(call, "dy"), operand(call, "filter")];
  return inputGradient(call.graph, dy, filter, windowsOf(call, numbersAttribute(call, "inputShape"), filter.shape));
};

/** Convolutions of NHWC tensors as matrix products. */
export const convolutionKernels: KernelTable = {
  Conv2D: convolution,
  FusedConv2D: (call) => fused(call, convolution(call) as Value),
  Conv2DBackpropFilter: gradientInFilter,
  Conv2DBackpropInput: gradientInInput,
};
