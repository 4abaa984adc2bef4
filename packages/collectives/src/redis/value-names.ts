import type { Subtree } from "../collective.ts";
import { subtreeName } from "../subtree.ts";

/** A piece of one shard's block. */
export const shardName = (tag: string, shard: number, chunk: number): string => `${tag}/g/${shard}/${chunk}`;

/** A piece of a partial sum, for the owner of the piece. */
export const subtreeValueName = (tag: string, chunk: number, subtree: Subtree): string =>
  `${tag}/p/${chunk}/${subtreeName(subtree)}`;

/** A piece of the sum over all shards. */
export const sumName = (tag: string, chunk: number): string => `${tag}/s/${chunk}`;

/** A piece of what one rank gives to all, and before it how long that is. */
export const broadcastName = (tag: string, chunk: number): string => `${tag}/b/${chunk}`;
export const broadcastLengthName = (tag: string): string => `${tag}/b/length`;
