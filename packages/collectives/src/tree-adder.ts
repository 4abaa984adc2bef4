import type { FloatBlocks, WireFormat } from "@gmc/protocol";
import { BLOCK_LENGTH, floatBlocks, wireBytes } from "@gmc/protocol";
import type { SumTree } from "./subtree.ts";
import { treeDepth } from "./subtree.ts";

/** One leaf of a sum: numbers as they are, or as they came over the wire. */
export type Leaf =
  | { readonly values: Float32Array; readonly first: number }
  | { readonly bytes: Uint8Array; readonly byteOffset: number };

/** Where a sum goes: into numbers, and where wanted into wire bytes too. */
export interface SumTarget {
  readonly values: Float32Array;
  readonly first: number;
  readonly bytes?: Uint8Array;
  readonly byteOffset?: number;
}

/**
 * Adds leaves up in the order of a tree, rounding every leaf and node to the wire's format. Block by block: a block of
 * every leaf is added while it is in the cache, so memory is read once a leaf and written once.
 */
export class TreeAdder {
  readonly #tree: SumTree;
  readonly #wire: WireFormat;
  readonly #blocks: FloatBlocks;

  constructor(tree: SumTree, wire: WireFormat) {
    this.#tree = tree;
    this.#wire = wire;
    this.#blocks = floatBlocks(treeDepth(tree) + 1);
  }

  /** The sum of numbers [from, to) of each leaf; leaves by their place in the tree. */
  add(leaves: readonly Leaf[], from: number, to: number, target: SumTarget): void {
    for (let at = from; at < to; at += BLOCK_LENGTH) {
      this.#addBlock(leaves, at, Math.min(BLOCK_LENGTH, to - at), target);
    }
  }

  #addBlock(leaves: readonly Leaf[], done: number, length: number, target: SumTarget): void {
    const { values, first, bytes, byteOffset = 0 } = target;
    this.#sum(this.#tree, 0, leaves, done, length);
    this.#blocks.store(0, values, first + done, length);
    if (bytes) this.#blocks.storeWire(0, bytes, byteOffset + done * wireBytes(this.#wire), length, this.#wire, true);
  }

  /** Leaves the sum of `tree` in block `block`; blocks above it are free. */
  #sum(tree: SumTree, block: number, leaves: readonly Leaf[], done: number, length: number): void {
    if (typeof tree === "number") {
      this.#load(leaves[tree], block, done, length);
      return;
    }
    this.#sum(tree[0], block, leaves, done, length);
    this.#sum(tree[1], block + 1, leaves, done, length);
    this.#blocks.add(block, block + 1, length, this.#wire);
  }

  #load(leaf: Leaf | undefined, block: number, done: number, length: number): void {
    if (!leaf) throw new RangeError("TreeAdder: a leaf is missing");
    if ("bytes" in leaf) {
      this.#blocks.loadWire(block, leaf.bytes, leaf.byteOffset + done * wireBytes(this.#wire), length, this.#wire);
    } else {
      this.#blocks.load(block, leaf.values, leaf.first + done, length);
      this.#blocks.round(block, length, this.#wire);
    }
  }
}
