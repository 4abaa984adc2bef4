import type { InputSpec, Inputs } from "@gmc/core";
import { integerAt, normalAt, randomKey, sizeOf, uniformAt } from "@gmc/core";

/** Values for every input a graph reads: uniform in [0, 1) for modalities, one-hot targets, masks and noise as their spec says. */
export const randomInputs = (specs: readonly InputSpec[], seed: number): Inputs =>
  Object.fromEntries(specs.map((spec) => [spec.name, randomInput(spec, seed)]));

function randomInput({ name, shape, source }: InputSpec, seed: number): Float32Array {
  const key = randomKey(seed, `input/${name}`);
  const values = new Float32Array(sizeOf(shape));
  if (source.kind === "target") {
    const classes = shape.at(-1) ?? 1;
    for (let row = 0; row < values.length / classes; row++) values[row * classes + integerAt(key, row, classes)] = 1;
    return values;
  }
  for (let i = 0; i < values.length; i++) {
    if (source.kind === "noise") values[i] = normalAt(key, i);
    else if (source.kind === "mask") values[i] = uniformAt(key, i) < source.keep ? 1 / source.keep : 0;
    else values[i] = uniformAt(key, i);
  }
  return values;
}
