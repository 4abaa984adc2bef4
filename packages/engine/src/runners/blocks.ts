import { sizeOf } from "@gmc/core";
import type { TensorSpec } from "../onnx/emit.ts";
import type { Block } from "./runner.ts";

/** A zeroed array for a tensor. */
export function allocateBlock({ name, shape, dtype }: TensorSpec): Block {
  const length = sizeOf(shape);
  if (dtype === "float32") return new Float32Array(length);
  if (dtype === "int32") return new Int32Array(length);
  if (dtype === "bool") return new Uint8Array(length);
  throw new TypeError(`Tensor "${name}" is ${dtype}: no tensor of a program has that type.`);
}

/** The array that `blocks` holds for a tensor. @throws {TypeError} when there is none, or its type or length is wrong */
export function blockOf(blocks: ReadonlyMap<string, Block>, spec: TensorSpec): Block {
  const block = blocks.get(spec.name);
  const expected = `${spec.dtype} [${spec.shape}] (${sizeOf(spec.shape)} elements)`;
  if (!block) throw new TypeError(`Tensor "${spec.name}" is not bound; expected ${expected}.`);
  if (typeOf(block) !== spec.dtype || block.length !== sizeOf(spec.shape)) {
    throw new TypeError(
      `Tensor "${spec.name}": expected ${expected}, received ${typeOf(block)} of ${block.length} elements.`,
    );
  }
  return block;
}

function typeOf(block: Block): "float32" | "int32" | "bool" {
  if (block instanceof Float32Array) return "float32";
  return block instanceof Int32Array ? "int32" : "bool";
}
