import { sizeOf } from "@gmc/core";
import { liveValues } from "./live.ts";
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

/** A piece of a graph that runs as one program. */
export interface Piece {
  readonly outputs: readonly Value[];
  /** What it computes. */
  readonly computed: ReadonlySet<Value>;
  /** What it is given, in the order of creation. */
  readonly given: readonly Value[];
  /** Numbers of the pieces that compute what it is given; they run before it. */
  readonly after: readonly number[];
}

/**
 * Cuts values into pieces with these outputs, in this order: what two pieces need is computed by the first and given to the second.
 *
 * @param own      all that the pieces together compute; the rest is given, as by `givenValues`
 * @param varying  as in `givenValues`
 */
export function cutInPieces<T extends Pick<Piece, "outputs">>(
  pieces: readonly T[],
  own: ReadonlySet<Value>,
  varying: ReadonlySet<Value>,
): (T & Piece)[] {
  const open = new Set(own);
  const makers = new Map<Value, number>();
  return pieces.map((piece, number) => {
    const given = givenValues(piece.outputs, open, varying);
    const after = [...new Set(given.flatMap((value) => makers.get(value) ?? []))];
    const computed = new Set<Value>();
    for (const value of liveValues(piece.outputs, new Set(given))) if (open.delete(value)) computed.add(value);
    for (const value of computed) makers.set(value, number);
    return { ...piece, computed, given, after };
  });
}
