import { sizeOf } from "@gmc/core";
import type { TensorSpec } from "../onnx/emit.ts";
import type { Block, Place } from "./runner.ts";

/** A zeroed array for a tensor. */
export function allocateBlock({ name, shape, dtype }: TensorSpec): Block {
  const length = sizeOf(shape);
  if (dtype === "float32") return new Float32Array(length);
  if (dtype === "int32") return new Int32Array(length);
  if (dtype === "bool") return new Uint8Array(length);
  throw new TypeError(`Tensor "${name}" is ${dtype}: no tensor of a program has that type.`);
}

/** The array that `blocks` holds for a tensor. @throws {TypeError} when there is none, or its type or length is wrong */
export function blockOf(blocks: ReadonlyMap<string, Place>, spec: TensorSpec): Block {
  const place = placeOf(blocks, spec);
  if (isBlock(place)) return place;
  throw new TypeError(`Tensor "${spec.name}" lies in the memory of another runner's device.`);
}

/** Where `blocks` has a tensor. @throws {TypeError} when nowhere, or its type or length is wrong */
export function placeOf(blocks: ReadonlyMap<string, Place>, spec: TensorSpec): Place {
  const place = blocks.get(spec.name);
  const expected = `${spec.dtype} [${spec.shape}] (${sizeOf(spec.shape)} elements)`;
  if (!place) throw new TypeError(`Tensor "${spec.name}" is not bound; expected ${expected}.`);
  const [dtype, length] = isBlock(place)
    ? [typeOf(place), place.length]
    : [place.tensor.dtype, sizeOf(place.tensor.shape)];
  if (dtype !== spec.dtype || length !== sizeOf(spec.shape)) {
    throw new TypeError(`Tensor "${spec.name}": expected ${expected}, received ${dtype} of ${length} elements.`);
  }
  return place;
}

/** True for an array of ours, false for a tensor in a device's memory. */
export const isBlock = (place: Place): place is Block => ArrayBuffer.isView(place);

function typeOf(block: Block): "float32" | "int32" | "bool" {
  if (block instanceof Float32Array) return "float32";
  return block instanceof Int32Array ? "int32" : "bool";
}
