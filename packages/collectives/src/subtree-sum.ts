import type { Range } from "@gmc/core";
import { treeSplit } from "@gmc/core";
import type { WireFormat } from "@gmc/protocol";
import { addVectors, roundVector } from "@gmc/protocol";
import type { Subtree } from "./collective.ts";
import { wholeSubtrees } from "./subtree.ts";

export interface SubtreeSumOptions {
  /** Length of every shard's vector. */
  readonly length: number;
  /** The worker's shards, in the order in which they will be added: ascending. */
  readonly shards: readonly number[];
  /** V, of all workers. */
  readonly total: number;
  readonly wire: WireFormat;
  /** Buffer for the first shard's vector, and so for the first subtree's sum. */
  readonly first?: Float32Array;
}

/**
 * Sums a worker's shards into its whole subtrees, as `Collective.reduce` wants them, with the bits of the tree over all
 * shards: every shard's vector and every node is rounded to the wire's format. Neighbours merge as soon as both are
 * there, so log2(shards) + 1 buffers are enough. The last shard's vector may be closed range by range, while the rest of
 * it is still being written.
 */
export class SubtreeSum {
  readonly #options: SubtreeSumOptions;
  readonly #inner: ReadonlySet<string>;
  readonly #free: Float32Array[];
  /** Sums so far, in shard order; no two of them can be merged. */
  readonly #nodes: SummedNode[] = [];
  #open: Float32Array | undefined;
  #added = 0;
  #closing: Closing | undefined;

  constructor(options: SubtreeSumOptions) {
    this.#options = options;
    this.#inner = new Set(wholeSubtrees(options.shards, options.total).flatMap(innerNodes));
    this.#free = options.first ? [options.first] : [];
  }

  /** [length] buffer to write the next shard's vector into. */
  next(): Float32Array {
    if (this.#added === this.#options.shards.length) throw new RangeError("SubtreeSum.next: all shards were added");
    this.#open ??= this.#free.pop() ?? new Float32Array(this.#options.length);
    return this.#open;
  }

  /** Takes what was written as the following shard's vector. The last shard's is taken by `close`. */
  add(): void {
    const values = this.#takeOpen("add");
    roundVector(values, this.#options.wire);
    this.#nodes.push(this.#nodeOf(values));
    for (const { left, right } of this.#mergeAll()) {
      addVectors(left, right, this.#options.wire);
      this.#free.push(right);
    }
  }

  /**
   * The sums over `range`, by subtree, once the last shard's vector is complete there. Every range is closed once, in
   * any order; the views stay valid until `clear`.
   */
  close({ start, end }: Range = { start: 0, end: this.#options.length }): ReadonlyMap<Subtree, Float32Array> {
    this.#closing ??= this.#takeLast();
    const { last, merges } = this.#closing;
    roundVector(last.subarray(start, end), this.#options.wire);
    for (const { left, right } of merges) {
      addVectors(left.subarray(start, end), right.subarray(start, end), this.#options.wire);
    }
    return new Map(this.#nodes.map(({ subtree, values }) => [subtree, values.subarray(start, end)]));
  }

  /** Forgets what was added and starts anew. */
  clear(): void {
    if (this.#open) this.#free.push(this.#open);
    for (const { right } of this.#closing?.merges ?? []) this.#free.push(right);
    this.#free.push(
      ...this.#nodes
        .splice(0)
        .reverse()
        .map((node) => node.values),
    ); // the first shard's buffer on top
    this.#open = undefined;
    this.#closing = undefined;
    this.#added = 0;
  }

  #takeLast(): Closing {
    const last = this.#takeOpen("close");
    if (this.#added !== this.#options.shards.length - 1) {
      throw new RangeError(`SubtreeSum.close: ${this.#added + 1} of ${this.#options.shards.length} shards are there`);
    }
    this.#nodes.push(this.#nodeOf(last));
    return { last, merges: this.#mergeAll() };
  }

  #takeOpen(call: string): Float32Array {
    const values = this.#open;
    if (!values) throw new RangeError(`SubtreeSum.${call}: call next() first and write the vector into its buffer`);
    this.#open = undefined;
    return values;
  }

  #nodeOf(values: Float32Array): SummedNode {
    const shard = this.#options.shards[this.#added] ?? 0;
    this.#added++;
    return { subtree: { start: shard, end: shard + 1 }, values };
  }

  /** Merges the last nodes while they are the two halves of one; what has to be added for it, in order. */
  #mergeAll(): Merge[] {
    const merges: Merge[] = [];
    for (;;) {
      const right = this.#nodes.at(-1);
      const left = this.#nodes.at(-2);
      if (!left || !right || !this.#inner.has(nodeName(left.subtree, right.subtree))) return merges;
      const subtree = { start: left.subtree.start, end: right.subtree.end };
      this.#nodes.splice(-2, 2, { subtree, values: left.values });
      merges.push({ left: left.values, right: right.values });
    }
  }
}

interface SummedNode {
  readonly subtree: Subtree;
  readonly values: Float32Array;
}
/** left += right */
interface Merge {
  readonly left: Float32Array;
  readonly right: Float32Array;
}
interface Closing {
  readonly last: Float32Array;
  readonly merges: readonly Merge[];
}

const nodeName = (left: Subtree, right: Subtree): string =>
  left.end === right.start ? `${left.start}-${left.end}-${right.end}` : "";

/** Names of the inner nodes of a subtree. */
function innerNodes({ start, end }: Subtree): string[] {
  if (end - start < 2) return [];
  const middle = start + treeSplit(end - start);
  const [left, right] = [
    { start, end: middle },
    { start: middle, end },
  ];
  return [nodeName(left, right), ...innerNodes(left), ...innerNodes(right)];
}
