import type { GradientBlocks, Range } from "@gmc/core";
import { treeSplit } from "@gmc/core";
import type { WireFormat } from "@gmc/protocol";
import { addVectors, roundVector } from "@gmc/protocol";
import type { Subtree } from "./collective.ts";
import { subtreeName, wholeSubtrees } from "./subtree.ts";

export interface SubtreeSumOptions {
  /** Length of every shard's vector. */
  readonly length: number;
  /** The worker's shards, in any order. */
  readonly shards: readonly number[];
  /** V, of all workers. */
  readonly total: number;
  readonly wire: WireFormat;
  /** Buffer for the lowest shard's vector, and so for the first subtree's sum. */
  readonly first?: Float32Array;
  /** Where further buffers come from, and what adds whole fp32 vectors best; absent: plain arrays. */
  readonly blocks?: GradientBlocks;
}

/** A range of the vector over which every own shard is complete: the sums there, as `Collective.reduce` wants them. */
export interface ClosedRange {
  readonly range: Range;
  /** Views that stay valid until `clear`. */
  readonly sums: ReadonlyMap<Subtree, Float32Array>;
}

/**
 * Sums a worker's shards into its whole subtrees with the bits of the tree over all shards, whatever the order in which
 * they finish: every shard's vector and every node is rounded to the wire's format, and two nodes merge as soon as both
 * halves are there. When shards come one after another log2(shards) + 1 buffers are in use.
 *
 * A vector may be closed range by range (`part`), while the rest of it is still being written: what is missing of the
 * tree is then added up range by range. Without `part` whole vectors are added, which is faster.
 */
export class SubtreeSum {
  readonly #options: SubtreeSumOptions;
  readonly #subtrees: readonly Subtree[];
  /** The node above each node of the subtrees, by the lower one's name. */
  readonly #parents: ReadonlyMap<string, InnerNode>;
  readonly #lowest: number;
  readonly #free: Float32Array[] = [];
  /** Shards whose vectors are being written. */
  readonly #open = new Map<number, Float32Array>();
  readonly #complete = new Set<number>();
  /** Sums so far, by their first shard; no two of them can be merged. */
  readonly #nodes = new Map<number, SummedNode>();
  /** Ranges that some shards have completed, and the shards that have not. */
  readonly #pending = new Map<string, { readonly range: Range; readonly missing: Set<number> }>();
  readonly #closed: Range[] = [];
  #closing: Closing | undefined;

  constructor(options: SubtreeSumOptions) {
    this.#options = options;
    this.#subtrees = wholeSubtrees(options.shards, options.total);
    this.#parents = new Map(this.#subtrees.flatMap(innerNodes).flatMap(bothHalves));
    this.#lowest = Math.min(...options.shards);
  }

  /** [length] buffer to write a shard's vector into; several may be open. */
  open(shard: number): Float32Array {
    if (!this.#options.shards.includes(shard) || this.#complete.has(shard)) {
      throw new RangeError(`SubtreeSum.open: shard ${shard} is not to be added`);
    }
    const buffer = this.#open.get(shard) ?? this.#bufferFor(shard);
    this.#open.set(shard, buffer);
    return buffer;
  }

  /** Takes `range` of an open shard's vector as complete. Gives the sums over it once it is complete in every shard. */
  part(shard: number, range: Range): ClosedRange | undefined {
    if (!this.#open.has(shard)) throw new RangeError(`SubtreeSum.part: open shard ${shard} first`);
    const name = subtreeName(range);
    const missing = (): Set<number> => new Set(this.#options.shards.filter((own) => !this.#complete.has(own)));
    const pending = this.#pending.get(name) ?? { range, missing: missing() };
    this.#pending.set(name, pending);
    pending.missing.delete(shard);
    return pending.missing.size === 0 ? this.#closePending(name, range) : undefined;
  }

  /** Takes the rest of an open shard's vector as complete. Gives the ranges that waited for this shard alone. */
  add(shard: number): readonly ClosedRange[] {
    const values = this.#open.get(shard);
    if (!values) throw new RangeError(`SubtreeSum.add: open shard ${shard} first and write its vector into the buffer`);
    this.#complete.add(shard);
    if (!this.#closing) {
      this.#open.delete(shard);
      roundVector(values, this.#options.wire);
      for (const { left, right } of this.#insert(shard, values)) this.#addWhole(left, right);
    }
    return [...this.#pending].flatMap(([name, { range, missing }]) => {
      missing.delete(shard);
      return missing.size === 0 ? [this.#closePending(name, range)] : [];
    });
  }

  /** The sums over what was not closed range by range, once all shards were added. */
  finish(): readonly ClosedRange[] {
    const { shards, length } = this.#options;
    if (this.#complete.size < shards.length) {
      throw new RangeError(`SubtreeSum.finish: ${this.#complete.size} of ${shards.length} shards were added`);
    }
    if (!this.#closing) return [{ range: { start: 0, end: length }, sums: this.#sumsOver({ start: 0, end: length }) }];
    return gaps(this.#closed, length).map((range) => this.#close(range));
  }

  /** Forgets what was added and starts anew. */
  clear(): void {
    const used = [
      ...this.#open.values(),
      ...Array.from(this.#nodes.values(), ({ values }) => values),
      ...(this.#closing?.merges ?? []).map(({ right }) => right),
    ];
    this.#free.push(
      ...new Set(used.filter((buffer) => buffer !== this.#options.first && !this.#free.includes(buffer))),
    );
    this.#open.clear();
    this.#complete.clear();
    this.#nodes.clear();
    this.#pending.clear();
    this.#closed.length = 0;
    this.#closing = undefined;
  }

  #bufferFor(shard: number): Float32Array {
    const { first, blocks, length } = this.#options;
    if (shard === this.#lowest && first) return first;
    return this.#free.pop() ?? blocks?.allocate() ?? new Float32Array(length);
  }

  #addWhole(left: Float32Array, right: Float32Array): void {
    const { blocks, wire } = this.#options;
    if (blocks && wire === "fp32") blocks.add(left, right);
    else addVectors(left, right, wire);
    this.#free.push(right);
  }

  #closePending(name: string, range: Range): ClosedRange {
    this.#pending.delete(name);
    return this.#close(range);
  }

  #close(range: Range): ClosedRange {
    const { wire } = this.#options;
    this.#closing ??= this.#beginClosing();
    const { start, end } = range;
    for (const values of this.#closing.leaves) roundVector(values.subarray(start, end), wire);
    for (const { left, right } of this.#closing.merges) {
      addVectors(left.subarray(start, end), right.subarray(start, end), wire);
    }
    this.#closed.push(range);
    return { range, sums: this.#sumsOver(range) };
  }

  /** What is open is summed by range from here on. */
  #beginClosing(): Closing {
    const leaves = [...this.#open.values()];
    const merges = [...this.#open].flatMap(([shard, values]) => this.#insert(shard, values));
    return { leaves, merges };
  }

  #sumsOver({ start, end }: Range): ReadonlyMap<Subtree, Float32Array> {
    const sums = this.#subtrees.map((subtree) => {
      const values = this.#nodes.get(subtree.start)?.values ?? NOTHING;
      return [subtree, values.subarray(start, end)] as const;
    });
    return new Map(sums);
  }

  /** Puts a shard among the nodes and merges what are the two halves of one; what has to be added for it, in order. */
  #insert(shard: number, values: Float32Array): Merge[] {
    let node: SummedNode = { start: shard, end: shard + 1, values };
    const merges: Merge[] = [];
    for (;;) {
      this.#nodes.set(node.start, node);
      const parent = this.#parents.get(subtreeName(node));
      const left = parent && this.#nodes.get(parent.start);
      const right = parent && this.#nodes.get(parent.middle);
      if (left?.end !== parent?.middle || right?.end !== parent?.end || !parent || !left || !right) return merges;
      this.#nodes.delete(right.start);
      merges.push({ left: left.values, right: right.values });
      node = { start: parent.start, end: parent.end, values: left.values };
    }
  }
}

interface SummedNode extends Subtree {
  readonly values: Float32Array;
}
/** left += right */
interface Merge {
  readonly left: Float32Array;
  readonly right: Float32Array;
}
interface Closing {
  /** Vectors that are still to be rounded, range by range. */
  readonly leaves: readonly Float32Array[];
  readonly merges: readonly Merge[];
}
interface InnerNode extends Subtree {
  readonly middle: number;
}

const NOTHING = new Float32Array(0);

/** The inner nodes of a subtree. */
function innerNodes({ start, end }: Subtree): InnerNode[] {
  if (end - start < 2) return [];
  const middle = start + treeSplit(end - start);
  return [{ start, middle, end }, ...innerNodes({ start, end: middle }), ...innerNodes({ start: middle, end })];
}

const bothHalves = (node: InnerNode): (readonly [string, InnerNode])[] => [
  [subtreeName({ start: node.start, end: node.middle }), node],
  [subtreeName({ start: node.middle, end: node.end }), node],
];

/** What is left of [0, length) between ranges that do not overlap. */
function gaps(ranges: readonly Range[], length: number): Range[] {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  const starts = [0, ...sorted.map(({ end }) => end)];
  const ends = [...sorted.map(({ start }) => start), length];
  return starts.flatMap((start, i) => ((ends[i] ?? start) > start ? [{ start, end: ends[i] ?? start }] : []));
}
