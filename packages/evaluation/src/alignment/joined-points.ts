import { DataError } from "@gmc/core";
import { whole } from "./settings.ts";

/** Both sets of an alignment as one, reference points first. */
export interface JoinedPoints {
  /** [reference + evaluated, dim] */
  readonly values: Float32Array;
  readonly dim: number;
  readonly reference: number;
  readonly evaluated: number;
}

/**
 * Both sets, checked.
 *
 * @throws {RangeError} when a set is empty or not of whole rows
 * @throws {DataError} when a value is not finite
 */
export function joinPoints(reference: Float32Array, evaluated: Float32Array, dim: number): JoinedPoints {
  whole("dim", dim, 1, 2 ** 20);
  const joined = {
    values: new Float32Array(reference.length + evaluated.length),
    dim,
    reference: rowsOf("reference", reference, dim),
    evaluated: rowsOf("evaluated", evaluated, dim),
  };
  joined.values.set(reference);
  joined.values.set(evaluated, reference.length);
  return joined;
}

function rowsOf(name: string, values: Float32Array, dim: number): number {
  if (values.length === 0 || values.length % dim !== 0) {
    throw new RangeError(`alignment: ${name} is one row of ${dim} values or more, received ${values.length} values`);
  }
  const place = values.findIndex((value) => !Number.isFinite(value));
  if (place >= 0) {
    const row = Math.floor(place / dim);
    throw new DataError(
      `alignment: ${name} holds finite numbers, but row ${row} has ${values[place]} in column ${place % dim}.`,
      { set: name, row, column: place % dim },
    );
  }
  return values.length / dim;
}
