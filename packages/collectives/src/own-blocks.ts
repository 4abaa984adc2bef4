import { ShapeError } from "@gmc/core";
import type { Assignment } from "./assignment.ts";
import type { Subtree } from "./collective.ts";
import { subtreeName } from "./subtree.ts";

/** A worker's blocks of one call, in shard order, all of one length. */
export interface OwnBlocks {
  readonly length: number;
  readonly blocks: readonly (Subtree & { readonly values: Float32Array })[];
}

/** What a gather is given. @throws {RangeError} when it is not exactly the worker's shards @throws {ShapeError} for two lengths */
export function ownShards(
  { shardsOfWorkers }: Assignment,
  rank: number,
  tag: string,
  own: ReadonlyMap<number, Float32Array>,
): OwnBlocks {
  const expected = [...(shardsOfWorkers[rank] ?? [])].sort((a, b) => a - b);
  if (own.size !== expected.length || !expected.every((shard) => own.has(shard))) {
    throw new RangeError(`gather "${tag}": rank ${rank} has shards [${expected}], received [${[...own.keys()]}]`);
  }
  const values = (shard: number) => own.get(shard) ?? new Float32Array(0);
  return sameLength(
    `gather "${tag}"`,
    expected.map((shard) => ({ start: shard, end: shard + 1, values: values(shard) })),
  );
}

/** What a reduce is given. @throws {RangeError} when it is not exactly the worker's whole subtrees @throws {ShapeError} for two lengths */
export function ownSubtrees(
  { leaves }: Assignment,
  rank: number,
  tag: string,
  own: ReadonlyMap<Subtree, Float32Array>,
): OwnBlocks {
  const expected = leaves.filter((leaf) => leaf.rank === rank);
  const received = new Map([...own].map(([subtree, values]) => [subtreeName(subtree), values]));
  const blocks = expected.flatMap(({ start, end }) => {
    const values = received.get(subtreeName({ start, end }));
    return values ? [{ start, end, values }] : [];
  });
  if (own.size !== expected.length || blocks.length !== expected.length) {
    const names = expected.map(subtreeName);
    throw new RangeError(`reduce "${tag}": rank ${rank} has subtrees [${names}], received [${[...received.keys()]}]`);
  }
  return sameLength(`reduce "${tag}"`, blocks);
}

/** Whether this rank is the one that gives a broadcast's values. @throws {TypeError} when they are missing, or given by another rank */
export function givesValues(
  { ranks }: Assignment,
  own: number,
  tag: string,
  rank: number,
  values: Float32Array | undefined,
): values is Float32Array {
  if (!(rank >= 0 && rank < ranks)) throw new RangeError(`broadcast "${tag}": rank ${rank} of ${ranks}`);
  if ((own === rank) === (values !== undefined)) return own === rank;
  throw new TypeError(
    `broadcast "${tag}": rank ${rank} gives the values; rank ${own} gave ${values ? "some" : "none"}`,
  );
}

/** Where a result goes. @throws {ShapeError} when `into` has another length */
export function resultOf(where: string, length: number, into: Float32Array | undefined): Float32Array {
  if (into && into.length !== length) throw new ShapeError(where, [length], [into.length]);
  return into ?? new Float32Array(length);
}

function sameLength(where: string, blocks: OwnBlocks["blocks"]): OwnBlocks {
  const length = blocks[0]?.values.length ?? 0;
  for (const { start, values } of blocks) {
    if (values.length !== length) throw new ShapeError(`${where}, shard ${start}`, [length], [values.length]);
  }
  return { length, blocks };
}
