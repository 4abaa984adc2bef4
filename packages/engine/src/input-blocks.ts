import type { InputSpec, Inputs } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import type { Block } from "./runners/runner.ts";
import { tensorNames } from "./tensor-names.ts";

/** Arrays for a graph's inputs, by their names in its programs; for `copyInputs`. */
export const allocateInputs = (specs: readonly InputSpec[]): ReadonlyMap<string, Block> =>
  new Map(specs.map(({ name, shape }) => [tensorNames.input(name), new Float32Array(sizeOf(shape))]));

/** Copies a caller's values into a graph's input arrays. @throws {TypeError} when one is missing or has the wrong length */
export function copyInputs(specs: readonly InputSpec[], inputs: Inputs, blocks: ReadonlyMap<string, Block>): void {
  for (const { name, shape } of specs) {
    const values = inputs[name];
    if (!values || values.length !== sizeOf(shape)) {
      const received = values ? `${values.length} elements` : `inputs ${Object.keys(inputs).join(", ") || "(none)"}`;
      throw new TypeError(`Input "${name}": expected [${shape}] (${sizeOf(shape)} elements), received ${received}.`);
    }
    blocks.get(tensorNames.input(name))?.set(values);
  }
}
