import { sizeOf } from "@gmc/core";
import type { Graph } from "./graph.ts";
import { dependants, liveValues } from "./live.ts";
import type { Node, Value } from "./value.ts";
import { nodeOf, operandsOf } from "./value.ts";

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
 * The values that the backward half of a graph needs from its forward half and does not compute again: what is cheap (views,
 * gathers, ReLU's 0/1 mask) and what depends on parameters alone is recomputed from what is saved.
 *
 * @param outputs     results of the backward half (gradients)
 * @param cotangents  inputs that only the backward half has
 * @param data        inputs that carry the batch
 * @returns           in the order of creation
 */
export function savedValues(
  graph: Graph,
  outputs: readonly Value[],
  cotangents: Iterable<Value>,
  data: Iterable<Value>,
): Value[] {
  const backward = dependants(graph.values, cotangents);
  const fromData = dependants(graph.values, data);
  const seen = new Set<Value>();
  const saved = new Set<Value>();
  const open = [...outputs].filter((value) => !backward.has(value));
  for (const value of liveValues(outputs)) {
    if (backward.has(value)) open.push(...operandsOf(value).filter((operand) => !backward.has(operand)));
  }
  for (let value = open.pop(); value; value = open.pop()) {
    const node = nodeOf(value);
    if (seen.has(value) || !node) continue;
    seen.add(value);
    if (isCheap(value, node) || !fromData.has(value)) open.push(...node.inputs);
    else saved.add(value);
  }
  return [...saved].sort((a, b) => a.id - b.id);
}
