import { sizeOf } from "@gmc/core";
import type { Node, Value } from "./value.ts";
import { nodeOf } from "./value.ts";

/** Operations that cost less to do again than their results cost to keep. */
const CHEAP: ReadonlySet<string> = new Set([
  "Reshape",
  "Expand",
  "Gather",
  "Pad",
  "HardSigmoid",
  "Concat",
  "Slice",
  "Cast",
]);

/** A gather of shorter pieces than this, in elements, takes longer than reading its result again. */
const SHORT_PIECE = 16;

function isCheap(value: Value, { operation, attributes: { axis } }: Node): boolean {
  if (operation !== "Gather" || !axis || !("int" in axis)) return CHEAP.has(operation);
  return sizeOf(value.shape.slice(axis.int + 1)) >= SHORT_PIECE; // the table is a vector
}

/**
 * The values that one part of a graph needs from what ran before it and does not compute again: what is cheap (views, gathers,
 * ReLU's 0/1 mask) and what depends on parameters alone is recomputed from what is given.
 *
 * @param outputs  results of the part
 * @param own      the values that the part computes itself
 * @param varying  the values that depend on more than parameters
 * @returns        in the order of creation
 */
export function givenValues(outputs: Iterable<Value>, own: ReadonlySet<Value>, varying: ReadonlySet<Value>): Value[] {
  const seen = new Set<Value>();
  const given = new Set<Value>();
  const open = [...outputs];
  for (let value = open.pop(); value; value = open.pop()) {
    const node = nodeOf(value);
    if (seen.has(value) || !node) continue;
    seen.add(value);
    if (own.has(value) || !varying.has(value) || isCheap(value, node)) open.push(...node.inputs);
    else given.add(value);
  }
  return [...given].sort((a, b) => a.id - b.id);
}
