import { sizeOf, TraceError } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import { concat, expand, pad, reshape, slice, transpose } from "../../ir/views.ts";
import type { Kernel, KernelTable } from "../kernel.ts";
import { axesAttribute, axisAttribute, numberAttribute, numbersAttribute, operand, operands } from "../kernel.ts";

const reshapeKernel: Kernel = (call) => {
  const x = operand(call, "x");
  return reshape(call.graph, x, tf.util.inferFromImplicitShape(numbersAttribute(call, "shape"), sizeOf(x.shape)));
};

const expandDims: Kernel = (call) => {
  const x = operand(call, "input");
  const dim = axisAttribute(call, "dim", x.shape.length + 1);
  return reshape(call.graph, x, x.shape.toSpliced(dim, 0, 1));
};

const concatKernel: Kernel = (call) => {
  const parts = operands(call);
  const axis = axisAttribute(call, "axis", parts[0]?.shape.length ?? 0);
  const filled = parts.filter((part) => sizeOf(part.shape) > 0);
  return concat(call.graph, filled.length > 0 ? filled : parts.slice(0, 1), axis);
};

const pack: Kernel = (call) => {
  const parts = operands(call);
  const axis = axisAttribute(call, "axis", (parts[0]?.shape.length ?? 0) + 1);
  const widened = parts.map((part) => reshape(call.graph, part, part.shape.toSpliced(axis, 0, 1)));
  return concat(call.graph, widened, axis);
};

const unpack: Kernel = (call) => {
  const x = operand(call, "value");
  const axis = axisAttribute(call, "axis", x.shape.length);
  const thin = x.shape.toSpliced(axis, 1, 1);
  return Array.from({ length: x.shape[axis] ?? 0 }, (_, i) => {
    const begin = x.shape.map((_, other) => (other === axis ? i : 0));
    return reshape(call.graph, slice(call.graph, x, begin, thin), x.shape.toSpliced(axis, 1));
  });
};

const sliceKernel: Kernel = (call) => {
  const x = operand(call, "x");
  const begin = numbersAttribute(call, "begin");
  const size = numbersAttribute(call, "size").map((length, axis) =>
    length < 0 ? (x.shape[axis] ?? 0) - (begin[axis] ?? 0) : length,
  );
  return slice(call.graph, x, begin, size);
};

const stridedSlice: Kernel = (call) => {
  const x = operand(call, "x");
  const [begin, end, strides] = ["begin", "end", "strides"].map((name) => numbersAttribute(call, name));
  const [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] = [
    "beginMask",
    "endMask",
    "ellipsisMask",
    "newAxisMask",
    "shrinkAxisMask",
  ].map((name) => numberAttribute(call, name, 0));
  const info = tf.slice_util.sliceInfo(
    [...x.shape],
    begin ?? [],
    end ?? [],
    strides ?? [],
    beginMask ?? 0,
    endMask ?? 0,
    ellipsisMask ?? 0,
    newAxisMask ?? 0,
    shrinkAxisMask ?? 0,
  );
  const shape = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
  return reshape(call.graph, slice(call.graph, x, info.begin, shape, info.strides), info.finalShape);
};

const split: Kernel = (call) => {
  const x = operand(call, "x");
  const axis = axisAttribute(call, "axis", x.shape.length);
  const length = x.shape[axis] ?? 0;
  const given = call.attributes.numOrSizeSplits;
  const sizes =
    typeof given === "number"
      ? new Array<number>(given).fill(length / given)
      : [...numbersAttribute(call, "numOrSizeSplits")];
  const open = sizes.indexOf(-1); // one part may take what the others leave
  if (open >= 0) sizes[open] = length - sizes.reduce((sum, size) => sum + Math.max(size, 0), 0);
  let start = 0;
  return sizes.map((size) => {
    const begin = x.shape.map((_, other) => (other === axis ? start : 0));
    start += size;
    return slice(call.graph, x, begin, x.shape.toSpliced(axis, 1, size));
  });
};

const reverse: Kernel = (call) => {
  const x = operand(call, "x");
  const axes = axesAttribute(call, "dims", x.shape);
  const begin = x.shape.map((length, axis) => (axes.includes(axis) ? length - 1 : 0));
  const steps = x.shape.map((_, axis) => (axes.includes(axis) ? -1 : 1));
  return slice(call.graph, x, begin, x.shape, steps);
};

const tile: Kernel = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const repeats = numbersAttribute(call, "reps");
  const shape = x.shape.map((length, axis) => length * (repeats[axis] ?? 1));
  const stretches = x.shape.every((length, axis) => length === 1 || repeats[axis] === 1);
  if (stretches) return expand(graph, x, shape);
  return graph.node("Tile", [x, graph.integers(repeats)], {}, shape, x.dtype);
};

const padKernel: Kernel = (call) => {
  const pads = call.attributes.paddings;
  if (!Array.isArray(pads)) throw new TraceError("PadV2: paddings is a list of [before, after]");
  const pairs = pads.map(([before, after]: [number, number]) => [before, after] as const);
  return pad(call.graph, operand(call, "x"), pairs, numberAttribute(call, "constantValue", 0));
};

/** Kernels that move elements and compute nothing. */
export const viewKernels: KernelTable = {
  Reshape: reshapeKernel,
  ExpandDims: expandDims,
  Transpose: (call) => transpose(call.graph, operand(call, "x"), numbersAttribute(call, "perm")),
  Concat: concatKernel,
  Pack: pack,
  Unpack: unpack,
  Slice: sliceKernel,
  StridedSlice: stridedSlice,
  SplitV: split,
  Reverse: reverse,
  Tile: tile,
  PadV2: padKernel,
};
