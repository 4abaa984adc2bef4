import type { Model } from "@gmc/core";
import { tensorLayout } from "@gmc/core";
import type { Block } from "./runners/runner.ts";
import { tensorNames } from "./tensor-names.ts";

/** The tensors of a flat vector as blocks that programs bind, by the name that `named` gives them: views, no copies. */
export function flatBlocks(
  specs: Model["parameters"] | Model["buffers"],
  flat: Float32Array,
  named: (name: string) => string,
): [string, Block][] {
  return tensorLayout(specs).entries.map(({ name, start, end }) => [named(name), flat.subarray(start, end)]);
}

/** What every program of a model may read: its parameters and buffers, in place. */
export const stateBlocks = (
  model: Model,
  parameters: Float32Array,
  buffers: Float32Array,
): ReadonlyMap<string, Block> =>
  new Map([
    ...flatBlocks(model.parameters, parameters, tensorNames.parameter),
    ...flatBlocks(model.buffers, buffers, tensorNames.buffer),
  ]);
