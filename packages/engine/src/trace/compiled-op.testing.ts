import type { Shape } from "@gmc/core";
import { normalAt, randomKey, sizeOf, uniformAt } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import type { DataType, Value } from "../ir/value.ts";
import { emitProgram } from "../onnx/emit.ts";
import { allocateBlock } from "../runners/blocks.ts";
import { openOnnxruntimeNode } from "../runners/onnxruntime-node.ts";
import type { Block } from "../runners/runner.ts";
import { registerGradients } from "./gradients.ts";
import { trace } from "./trace.ts";

/** tfjs's own JavaScript backend, the reference, without its banner that recommends another. */
export async function useCpuBackend(): Promise<void> {
  await import("@tensorflow/tfjs-backend-cpu");
  registerGradients();
  tf.env().set("IS_TEST", true);
  await tf.setBackend("cpu");
  tf.scalar(0).dispose(); // the banner comes with the first tensor
  tf.env().set("IS_TEST", false);
}

/** Values of an input: standard normal, uniform in [0.5, 1.5), uniform in (-0.9, 0.9), integers 0 … below - 1, or bits. */
export type Values = "normal" | "positive" | "small" | "bits" | { readonly below: number };

export interface OpInput {
  readonly shape: Shape;
  readonly values: Values;
}

export const normal = (...shape: number[]): OpInput => ({ shape, values: "normal" });
export const positive = (...shape: number[]): OpInput => ({ shape, values: "positive" });
export const small = (...shape: number[]): OpInput => ({ shape, values: "small" });
export const bits = (...shape: number[]): OpInput => ({ shape, values: "bits" });
export const integers = (below: number, ...shape: number[]): OpInput => ({ shape, values: { below } });

export type Op = (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

/** Results of an op and the gradients of Σ result·weight in its float inputs, by name. */
export type OpResults = Record<string, { shape: Shape; data: number[] }>;

/** What tfjs's cpu backend computes, op by op. */
export function runEager(op: Op, inputs: readonly OpInput[], differentiate: boolean): OpResults {
  const results: OpResults = {};
  tf.tidy(() => {
    const tensors = inputs.map(({ shape, values }, i) =>
      tf.tensor(dataOf(shape, values, i), [...shape], typeOf(values)),
    );
    outputsOf(op, tensors, differentiate, (name, tensor) => {
      results[name] = { shape: tensor.shape, data: Array.from(tensor.dataSync(), Number) };
    });
  });
  return results;
}

/** The same through trace, ONNX and onnxruntime. */
export async function runCompiled(op: Op, inputs: readonly OpInput[], differentiate: boolean): Promise<OpResults> {
  const outputs = new Map<string, Value>();
  const graph = trace((tracing) => {
    const tensors = inputs.map(({ shape, values }, i) => tracing.input(`x${i}`, shape, typeOf(values)));
    outputsOf(op, tensors, differentiate, (name, tensor) => outputs.set(name, tracing.graphValue(tensor)));
    return tracing.graph;
  });
  const program = emitProgram(graph, outputs);
  const session = await (await openOnnxruntimeNode(1)).open(program);
  const blocks = new Map<string, Block>(inputs.map(({ shape, values }, i) => [`x${i}`, dataOf(shape, values, i)]));
  for (const output of program.outputs) blocks.set(output.name, allocateBlock(output));
  await session.bind(blocks).run();
  await session.release();
  return Object.fromEntries(
    program.outputs.map(({ name, shape }) => [name, { shape, data: Array.from(blocks.get(name) ?? [], Number) }]),
  );
}

function outputsOf(
  op: Op,
  inputs: tf.Tensor[],
  differentiate: boolean,
  give: (name: string, y: tf.Tensor) => void,
): void {
  for (const [i, y] of [op(...inputs)].flat().entries()) give(`y${i}`, y);
  if (!differentiate) return;
  const floats = inputs.filter(({ dtype }) => dtype === "float32");
  const objective = () => tf.addN([op(...inputs)].flat().map((y, i) => tf.sum(tf.mul(y, weightOf(y.shape, i)))));
  const { grads } = tf.engine().gradients(objective, floats, undefined, true);
  for (const [i, gradient] of (grads as (tf.Tensor | undefined)[]).entries()) if (gradient) give(`dx${i}`, gradient);
}

/** A cotangent that differs from element to element, short enough to be a constant of a trace. */
const weightOf = (shape: Shape, i: number): tf.Tensor =>
  tf.tensor(dataOf(shape, "normal", 100 + i) as Float32Array, [...shape]);

const typeOf = (values: Values): Exclude<DataType, "int64"> =>
  values === "bits" ? "bool" : typeof values === "object" ? "int32" : "float32";

function dataOf(shape: Shape, values: Values, index: number): Float32Array | Int32Array | Uint8Array {
  const key = randomKey(7, `input ${index}`);
  const length = sizeOf(shape);
  if (values === "bits") return Uint8Array.from({ length }, (_, i) => Math.floor(2 * uniformAt(key, i)));
  if (typeof values === "object") {
    return Int32Array.from({ length }, (_, i) => Math.floor(values.below * uniformAt(key, i)));
  }
  return Float32Array.from({ length }, (_, i) => {
    if (values === "normal") return normalAt(key, i);
    return values === "positive" ? 0.5 + uniformAt(key, i) : 1.8 * uniformAt(key, i) - 0.9;
  });
}
