import type { Model, Range } from "@gmc/core";
import { partRanges } from "@gmc/core";
import { givenValues } from "./ir/cut.ts";
import { liveValues } from "./ir/live.ts";
import type { Value } from "./ir/value.ts";
import { nodeOf, operandsOf } from "./ir/value.ts";
import { tensorNames } from "./tensor-names.ts";

/** A part of a model. */
export interface Part {
  readonly range: Range;
  /** The graph's inputs that are its parameters, by name. */
  readonly inputs: ReadonlySet<string>;
  /** Its gradients by parameter name; none where the objective does not read it. */
  readonly gradients: ReadonlyMap<string, Value>;
}

/** A model's parts, the largest first. @param gradients by parameter name */
export function partsOf(model: Model, gradients: ReadonlyMap<string, Value>): Part[] {
  const parts = [...partRanges(model.parameters)].map(([name, range]) => {
    const own = new Set(model.parameters.filter(({ part }) => part === name).map((parameter) => parameter.name));
    return {
      range,
      inputs: new Set([...own].map(tensorNames.parameter)),
      gradients: new Map([...gradients].filter(([parameter]) => own.has(parameter))),
    };
  });
  return parts.sort((a, b) => b.range.end - b.range.start - (a.range.end - a.range.start));
}

/**
 * The order in which the parts' gradients are computed: a part whose parameters another part's gradient reads comes before it
 * (the head before the encoders), of the others the largest first, so that little is left to send when the last one is done.
 *
 * @param backward  what depends on the cotangents
 * @param varying   what depends on more than parameters
 */
export function backwardOrder(
  parts: readonly Part[],
  backward: ReadonlySet<Value>,
  varying: ReadonlySet<Value>,
): Part[] {
  const waiting = parts.map((part) => ({ part, reads: inputsRead(part, backward, varying) }));
  const ordered: Part[] = [];
  while (waiting.length > 0) {
    const free = waiting.findIndex(({ reads }, i) =>
      waiting.every(({ part }, other) => other === i || !intersect(reads, part.inputs)),
    );
    ordered.push(...waiting.splice(Math.max(free, 0), 1).map(({ part }) => part)); // parts that read each other: the largest
  }
  return ordered;
}

/**
 * The outputs of every part's piece of the backward half: its gradients, and what several later parts need and follows from what it
 * computes (the head hands the gradient of its input to the encoders), so that those do not wait for each other.
 *
 * @param parts  in the order in which they run
 */
export function backwardPieces(
  parts: readonly Part[],
  backward: ReadonlySet<Value>,
): { readonly part: Part; readonly outputs: readonly Value[] }[] {
  const pieces = parts.map((part) => ({ part, outputs: [...part.gradients.values()] }));
  const users = new Map<Value, number[]>();
  for (const [i, { outputs }] of pieces.entries()) {
    for (const value of liveValues(outputs)) {
      if (backward.has(value)) users.set(value, [...(users.get(value) ?? []), i]);
    }
  }
  const makers = new Map<Value, number>();
  for (const value of [...users.keys()].sort((a, b) => a.id - b.id)) {
    const [first = 0, second] = users.get(value) ?? [];
    const before = Math.max(...operandsOf(value).map((operand) => makers.get(operand) ?? -1));
    const early = second !== undefined && before >= 0 && before < first;
    if (nodeOf(value)) makers.set(value, early ? before : first);
    if (early) pieces[before]?.outputs.push(value);
  }
  return pieces;
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

/**
 * The outputs of every piece of the forward half: what several parts need of the inputs alone, then each part's own, then what
 * depends on several parts. Parts' pieces depend on no other part's.
 *
 * @param wanted   what the forward half gives: results, and what the backward half saves
 * @param varying  what depends on more than parameters
 */
export function forwardPieces(
  parts: readonly Part[],
  wanted: readonly Value[],
  varying: ReadonlySet<Value>,
): { readonly outputs: readonly Value[] }[] {
  const owners = ownersOf(parts, wanted);
  const ownerOf = (value: Value) => owners.get(value) ?? NOBODY;
  const targets = new Set(wanted.filter((value) => nodeOf(value)));
  const ownedBy = (owner: number) => new Set([...owners.keys()].filter((value) => ownerOf(value) === owner));
  const targetsOf = (owner: number) => [...targets].filter((value) => ownerOf(value) === owner);
  for (const value of givenValues(targetsOf(SEVERAL), ownedBy(SEVERAL), varying)) targets.add(value);
  const pieces = parts.map((_, i) => targetsOf(i));
  const fromInputs = new Map<Value, number[]>(targetsOf(NOBODY).map((value) => [value, []]));
  for (const [i, outputs] of pieces.entries()) {
    for (const value of givenValues(outputs, ownedBy(i), varying))
      fromInputs.set(value, [...(fromInputs.get(value) ?? []), i]);
  }
  const shared: Value[] = [];
  for (const [value, users] of fromInputs) {
    const [only] = users;
    if (users.length === 1 && only !== undefined) pieces[only]?.push(value);
    else shared.push(value);
  }
  return [shared, ...pieces, targetsOf(SEVERAL)]
    .filter((outputs) => outputs.length > 0)
    .map((outputs) => ({ outputs }));
}

const NOBODY = -1;
const SEVERAL = -2;

/** For every value behind `wanted` the number of the one part whose parameters it depends on, or NOBODY, or SEVERAL. */
function ownersOf(parts: readonly Part[], wanted: readonly Value[]): ReadonlyMap<Value, number> {
  const owners = new Map<Value, number>();
  const ordered = [...liveValues(wanted)].sort((a, b) => a.id - b.id);
  for (const value of ordered) {
    const { source } = value;
    let owner = source.kind === "input" ? parts.findIndex(({ inputs }) => inputs.has(source.name)) : NOBODY;
    for (const operand of operandsOf(value)) owner = jointOwner(owner, owners.get(operand) ?? NOBODY);
    owners.set(value, owner);
  }
  return owners;
}

function jointOwner(a: number, b: number): number {
  if (a === b || b === NOBODY) return a;
  return a === NOBODY ? b : SEVERAL;
}
