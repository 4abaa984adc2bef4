import { sizeOf } from "@gmc/core";
import { Graph } from "../ir/graph.ts";
import { concat, reshape } from "../ir/views.ts";
import type { Program, TensorSpec } from "../onnx/emit.ts";
import { emitProgram } from "../onnx/emit.ts";
import { isBlock } from "./blocks.ts";
import type { Place } from "./runner.ts";

/** Outputs that lie one after another in one array of ours. */
export interface Run {
  readonly tensors: readonly TensorSpec[];
  /** All their elements. */
  readonly whole: Float32Array;
}

/** Name of the vector that a packing program gives. */
export const PACKED = "packed";

/**
 * The outputs that lie side by side, by their places: a device sends them best as one vector, because every copy from a
 * device waits for it. Outputs that stand alone are left out.
 */
export function adjacentOutputs(outputs: readonly TensorSpec[], blocks: ReadonlyMap<string, Place>): Run[] {
  const arrays = outputs.flatMap((tensor) => {
    const place = blocks.get(tensor.name);
    return place && isBlock(place) && place instanceof Float32Array && place.length > 0 ? [{ tensor, place }] : [];
  });
  arrays.sort((a, b) => a.place.byteOffset - b.place.byteOffset);
  const runs: (typeof arrays)[] = [];
  for (const array of arrays) {
    const open = runs.find((run) => follows(run.at(-1)?.place, array.place));
    if (open) open.push(array);
    else runs.push([array]);
  }
  return runs.filter((run) => run.length > 1).map(runOf);
}

/** Flattens the tensors and puts them one after another. */
export function packingProgram(tensors: readonly TensorSpec[]): Program {
  const graph = new Graph();
  const flat = tensors.map(({ name, shape }) => reshape(graph, graph.input(name, shape), [sizeOf(shape)]));
  return emitProgram(graph, new Map([[PACKED, concat(graph, flat, 0)]]));
}

const follows = (before: Float32Array | undefined, next: Float32Array): boolean =>
  before !== undefined && before.buffer === next.buffer && before.byteOffset + before.byteLength === next.byteOffset;

function runOf(arrays: readonly { tensor: TensorSpec; place: Float32Array }[]): Run {
  const length = arrays.reduce((sum, { place }) => sum + place.length, 0);
  const [first] = arrays;
  if (!first) throw new RangeError("runOf: no arrays given");
  return {
    tensors: arrays.map(({ tensor }) => tensor),
    whole: new Float32Array(first.place.buffer, first.place.byteOffset, length),
  };
}
