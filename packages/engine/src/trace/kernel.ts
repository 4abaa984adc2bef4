import type { Shape } from "@gmc/core";
import { TraceError } from "@gmc/core";
import type { Graph } from "../ir/graph.ts";
import type { Value } from "../ir/value.ts";

/** A tfjs kernel's attributes, by name. */
export type KernelAttributes = Readonly<Record<string, unknown>>;

/** What a kernel works on. */
export interface KernelCall {
  readonly graph: Graph;
  readonly kernelName: string;
  /** Tensors in the order given; optional ones that were not given are left out. */
  readonly inputs: Readonly<Record<string, Value | undefined>>;
  readonly attributes: KernelAttributes;
}

/** Appends one tfjs kernel to a graph. */
export type Kernel = (call: KernelCall) => Value | readonly Value[];

/** Kernels by tfjs's kernel names. */
export type KernelTable = Readonly<Record<string, Kernel>>;

/** An input that must be there. */
export function operand({ inputs, kernelName }: KernelCall, name: string): Value {
  const value = inputs[name];
  if (!value) throw new TraceError(`${kernelName}: its input "${name}" is missing.`);
  return value;
}

/** All inputs of a kernel with any number of them, in order. */
export const operands = ({ inputs }: KernelCall): Value[] =>
  Object.values(inputs).filter((value) => value !== undefined);

/** A number, or `fallback` where the attribute is absent. */
export function numberAttribute(call: KernelCall, name: string, fallback?: number): number {
  const value = call.attributes[name] ?? fallback;
  if (typeof value !== "number") throw unexpected(call, name, "a number", value);
  return value;
}

/** A list of numbers; a single number counts as a list of one. */
export function numbersAttribute(call: KernelCall, name: string): number[] {
  const value = call.attributes[name];
  if (typeof value === "number") return [value];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "number")) {
    throw unexpected(call, name, "a list of numbers", value);
  }
  return value;
}

/** True where the attribute is set. */
export const flagAttribute = (call: KernelCall, name: string): boolean => Boolean(call.attributes[name]);

/** Non-negative axes of an attribute that is one axis, a list of them, or absent for all. */
export function axesAttribute(call: KernelCall, name: string, shape: Shape): number[] {
  if (call.attributes[name] === undefined || call.attributes[name] === null) return shape.map((_, axis) => axis);
  return numbersAttribute(call, name).map((axis) => axisOf(call, axis, shape.length));
}

/** The one axis an attribute names, non-negative. */
export const axisAttribute = (call: KernelCall, name: string, rank: number): number =>
  axisOf(call, numberAttribute(call, name), rank);

function axisOf({ kernelName }: KernelCall, axis: number, rank: number): number {
  if (axis < -rank || axis >= rank) throw new TraceError(`${kernelName}: axis ${axis} of a tensor of rank ${rank}.`);
  return axis < 0 ? axis + rank : axis;
}

const unexpected = ({ kernelName }: KernelCall, name: string, expected: string, received: unknown) =>
  new TraceError(`${kernelName}: attribute "${name}" is ${expected}, received ${JSON.stringify(received)}.`);
