import type { Range, Shape } from "./shapes.ts";
import { sizeOf } from "./shapes.ts";

/** One tensor's place in a flat vector. */
export interface LayoutEntry extends Range {
  readonly name: string;
  readonly shape: Shape;
}

/** Where every tensor of a list lies in one flat float32 vector. */
export interface TensorLayout {
  readonly entries: readonly LayoutEntry[];
  /** Elements of the flat vector. */
  readonly length: number;
}

/**
 * Layout that packs the tensors in the order given, without gaps.
 *
 * @throws {RangeError} when two tensors share a name
 */
export function tensorLayout(specs: readonly { readonly name: string; readonly shape: Shape }[]): TensorLayout {
  let length = 0;
  const entries = specs.map(({ name, shape }) => {
    const start = length;
    length += sizeOf(shape);
    return { name, shape, start, end: length };
  });
  const names = new Set(specs.map((spec) => spec.name));
  if (names.size < specs.length) throw new RangeError("tensorLayout: two tensors share a name");
  return { entries, length };
}

/** The tensors as views into `flat`, by name: writing one writes the other. */
export function tensorViews(layout: TensorLayout, flat: Float32Array): Record<string, Float32Array> {
  return Object.fromEntries(layout.entries.map(({ name, start, end }) => [name, flat.subarray(start, end)]));
}

/** The range of each part's parameters in flat order. @throws {RangeError} when a part's parameters do not stand together */
export function partRanges(
  specs: readonly { readonly name: string; readonly shape: Shape; readonly part: string }[],
): ReadonlyMap<string, Range> {
  const ranges = new Map<string, Range>();
  let last: string | undefined;
  for (const [i, { start, end }] of tensorLayout(specs).entries.entries()) {
    const part = specs[i]?.part ?? "";
    const open = ranges.get(part);
    if (open && part !== last)
      throw new RangeError(`partRanges: the parameters of part "${part}" do not stand together`);
    ranges.set(part, { start: open?.start ?? start, end });
    last = part;
  }
  return ranges;
}
