import { TraceError } from "@gmc/core";
import { dataTypeOf } from "../backend.ts";
import type { Kernel, KernelCall, KernelTable } from "../kernel.ts";
import { numberAttribute, numbersAttribute, operand } from "../kernel.ts";

const likeX =
  (value: number): Kernel =>
  (call) => {
    const x = operand(call, "x");
    return call.graph.uniform(value, x.shape, x.dtype);
  };

const dtypeAttribute = ({ attributes }: KernelCall) => dataTypeOf(String(attributes.dtype ?? "float32"));

const fill: Kernel = (call) => {
  const { value } = call.attributes;
  if (typeof value !== "number" && typeof value !== "boolean") throw new TraceError("Fill: the value is not a number.");
  return call.graph.uniform(Number(value), numbersAttribute(call, "shape"), dtypeAttribute(call));
};

const range: Kernel = (call) => {
  const [start, stop, step] = ["start", "stop", "step"].map((name) => numberAttribute(call, name, 1));
  const length = Math.max(0, Math.ceil(((stop ?? 0) - (start ?? 0)) / (step ?? 1)));
  return sequence(call, length, start ?? 0, step ?? 1);
};

const linSpace: Kernel = (call) => {
  const [start, stop, count] = ["start", "stop", "num"].map((name) => numberAttribute(call, name));
  const length = count ?? 0;
  return sequence(call, length, start ?? 0, length > 1 ? ((stop ?? 0) - (start ?? 0)) / (length - 1) : 0);
};

function sequence(call: KernelCall, length: number, start: number, step: number) {
  const dtype = dtypeAttribute(call);
  const numbers = Array.from({ length }, (_, i) => start + i * step);
  const data = dtype === "int32" ? Int32Array.from(numbers) : Float32Array.from(numbers);
  return call.graph.constant(data, [length], dtype);
}

/** Kernels whose result does not depend on values. */
export const constantKernels: KernelTable = {
  ZerosLike: likeX(0),
  OnesLike: likeX(1),
  Fill: fill,
  Range: range,
  LinSpace: linSpace,
};
