import type { Model, Range } from "@gmc/core";
import { partRanges } from "@gmc/core";
import { givenValues } from "./ir/cut.ts";
import type { Graph } from "./ir/graph.ts";
import { dependants, liveValues } from "./ir/live.ts";
import type { Value } from "./ir/value.ts";
import { operandsOf } from "./ir/value.ts";
import { tensorNames } from "./tensor-names.ts";

/** One part's share of the backward half of a graph. */
export interface BackwardPart {
  readonly range: Range;
  /** Its gradients by parameter name; none where the objective does not read it. */
  readonly gradients: ReadonlyMap<string, Value>;
  /** What it is given: saved by the forward, or by a part before it. */
  readonly given: readonly Value[];
  /** What it computes and parts after it are given. */
  readonly handed: readonly Value[];
}

/**
 * Cuts a backward half into one piece a part, in the order in which they run: a part whose parameters another part's gradient
 * reads comes before it (the head before the encoders), of the others the largest first, so that little is left to
 * send when the last one is done. What two parts need is computed by the first and handed to the second.
 *
 * @param gradients   by parameter name
 * @param cotangents  inputs that only the backward half has
 * @param data        inputs that carry the batch
 */
export function cutByPart(
  graph: Graph,
  model: Model,
  gradients: ReadonlyMap<string, Value>,
  cotangents: readonly Value[],
  data: readonly Value[],
): BackwardPart[] {
  const varying = dependants(graph.values, [...cotangents, ...data]);
  const open = dependants(graph.values, cotangents); // what no part computes yet
  const parts = inOrder(model, gradients, open, varying).map((part) => {
    const outputs = [...part.gradients.values()];
    const given = givenValues(outputs, open, varying);
    const computed = new Set<Value>();
    for (const value of liveValues(outputs, new Set(given))) if (open.delete(value)) computed.add(value);
    return { ...part, given, computed };
  });
  const wanted = new Set(parts.flatMap(({ given }) => given));
  return parts.map(({ computed, ...part }) => ({
    ...part,
    handed: [...computed].filter((value) => wanted.has(value)),
  }));
}

interface Part {
  readonly range: Range;
  readonly gradients: ReadonlyMap<string, Value>;
  /** Names of the graph's inputs that are its parameters. */
  readonly inputs: ReadonlySet<string>;
}

function inOrder(
  model: Model,
  gradients: ReadonlyMap<string, Value>,
  backward: ReadonlySet<Value>,
  varying: ReadonlySet<Value>,
): Part[] {
  const waiting = partsOf(model, gradients).map((part) => ({ ...part, reads: inputsRead(part, backward, varying) }));
  const ordered: Part[] = [];
  waiting.sort((a, b) => b.range.end - b.range.start - (a.range.end - a.range.start));
  while (waiting.length > 0) {
    const free = waiting.findIndex((part) =>
      waiting.every((other) => other === part || !intersect(part.reads, other.inputs)),
    );
    ordered.push(...waiting.splice(Math.max(free, 0), 1)); // parts that read each other: the largest
  }
  return ordered;
}

function partsOf(model: Model, gradients: ReadonlyMap<string, Value>): Part[] {
  return [...partRanges(model.parameters)].map(([name, range]) => {
    const own = new Set(model.parameters.filter(({ part }) => part === name).map((parameter) => parameter.name));
    return {
      range,
      inputs: new Set([...own].map(tensorNames.parameter)),
      gradients: new Map([...gradients].filter(([parameter]) => own.has(parameter))),
    };
  });
}

/** Names of the graph's inputs that the backward half reads on its way to a part's gradients; not what saved activations are made of. */
function inputsRead(
  { gradients }: Part,
  backward: ReadonlySet<Value>,
  varying: ReadonlySet<Value>,
): ReadonlySet<string> {
  const names = new Set<string>();
  const seen = new Set<Value>();
  const open = [...gradients.values()];
  for (let value = open.pop(); value; value = open.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (value.source.kind === "input") names.add(value.source.name);
    if (backward.has(value) || !varying.has(value)) open.push(...operandsOf(value));
  }
  return names;
}

const intersect = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => [...a].some((item) => b.has(item));
