import { permutation, randomKey } from "@gmc/core";
import { distinctPoints } from "../alignment/distinct-points.ts";

/** Codes of one kind. */
export interface PictureCodes {
  /** [n, dim] */
  readonly codes: Float32Array;
  /** [n] class of each code. */
  readonly labels?: Int32Array | undefined;
  /** [n] 1 for a code that the alignment puts in no component. */
  readonly outliers?: Uint8Array | undefined;
}

/** What one panel shows: complete codes and a modality's, equal ones once. */
export interface PanelPoints {
  /** [points, dim] all different. */
  readonly codes: Float32Array;
  readonly kinds: readonly ("complete" | "modality")[];
  /** Class of each point, where it is known. */
  readonly labels: readonly (number | undefined)[];
  readonly outliers: readonly boolean[];
  /** How many codes each point stands for. */
  readonly copies: readonly number[];
}

/**
 * At most `samples` codes of each kind, drawn by the seed (the same rows where both kinds have as many), equal codes of a kind
 * put together. A code that both kinds have is shown as the modality's.
 */
export function panelPoints(
  complete: PictureCodes,
  modality: PictureCodes,
  options: { readonly dim: number; readonly samples: number; readonly seed: number },
): PanelPoints {
  const { dim } = options;
  const rows = [modality, complete].flatMap((set, kind) => {
    const count = set.codes.length / dim;
    return Array.from(
      drawn(count, options),
      (row) => ({ set, row, kind: kind === 0 ? "modality" : "complete" }) as const,
    );
  });
  const values = new Float32Array(rows.length * dim);
  rows.forEach(({ set, row }, i) => {
    values.set(set.codes.subarray(row * dim, (row + 1) * dim), i * dim);
  });
  const { firstOf, siteOf } = distinctPoints(values, dim);
  const copies = new Array<number>(firstOf.length).fill(0);
  for (const site of siteOf) copies[site] = (copies[site] ?? 0) + 1;
  const first = Array.from(firstOf, (row) => rows[row]).filter((row) => row !== undefined);
  const codes = new Float32Array(first.length * dim);
  first.forEach(({ set, row }, i) => {
    codes.set(set.codes.subarray(row * dim, (row + 1) * dim), i * dim);
  });
  return {
    codes,
    kinds: first.map(({ kind }) => kind),
    labels: first.map(({ set, row }) => set.labels?.[row]),
    outliers: first.map(({ set, row }) => set.outliers?.[row] === 1),
    copies,
  };
}

/** Rows in ascending order: all of them, or so many drawn without replacement. */
function drawn(count: number, { samples, seed }: { readonly samples: number; readonly seed: number }): Uint32Array {
  return permutation(randomKey(seed, "pictures/samples"), count).slice(0, samples).sort();
}
