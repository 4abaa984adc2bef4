import type { Graph } from "./graph.ts";
import { dependants, liveValues } from "./live.ts";
import type { Value } from "./value.ts";
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
    if (CHEAP.has(node.operation) || !fromData.has(value)) open.push(...node.inputs);
    else saved.add(value);
  }
  return [...saved].sort((a, b) => a.id - b.id);
}
