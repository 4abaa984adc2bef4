import type { Value } from "./value.ts";
import { operandsOf } from "./value.ts";

/** The values that `outputs` are computed from, themselves included; not beyond the values in `cut`. */
export function liveValues(
  outputs: Iterable<Value>,
  cut: { has(value: Value): boolean } = new Set<Value>(),
): Set<Value> {
  const live = new Set<Value>();
  const open = [...outputs];
  for (let value = open.pop(); value; value = open.pop()) {
    if (live.has(value)) continue;
    live.add(value);
    if (!cut.has(value)) open.push(...operandsOf(value));
  }
  return live;
}

/** Every value of `values` (in topological order) that depends on one of `roots`, the roots included. */
export function dependants(values: readonly Value[], roots: Iterable<Value>): Set<Value> {
  const found = new Set(roots);
  for (const value of values) if (operandsOf(value).some((operand) => found.has(operand))) found.add(value);
  return found;
}
