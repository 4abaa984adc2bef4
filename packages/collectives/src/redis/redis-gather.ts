import { unpackVector } from "@gmc/protocol";
import type { Chunk } from "../chunk-plan.ts";
import { chunkPlan, hashOf } from "../chunk-plan.ts";
import type { OwnBlocks } from "../own-blocks.ts";
import type { Call } from "./call.ts";
import type { Group } from "./group.ts";
import { READ_WINDOW, storeAt } from "./group.ts";
import { inOrder } from "./in-order.ts";
import type { ValuePlace } from "./messenger.ts";
import { chunkHeader } from "./messenger.ts";
import { shardName } from "./value-names.ts";

/** A gather: every rank writes its shards' blocks for all, and reads the others'. The parts of the call. */
export function startGather(
  group: Group,
  call: Call,
  { length, blocks }: OwnBlocks,
  out: Float32Array,
): Promise<void>[] {
  const { rank, assignment, messenger, hook } = group;
  const chunks = chunkPlan(call.tag, length, group.chunkBytes / 4, 1, 1);
  const placeOf = (shard: number, chunk: Chunk): ValuePlace => ({
    store: storeAt(group, (hashOf(call.tag) + shard + chunk.index) % group.stores.length),
    name: shardName(call.tag, shard, chunk.index),
    writer: assignment.rankOfShard[shard] ?? -1,
    header: chunkHeader(group.generation, call.tag, chunk, chunks.length, length, {
      kind: "shard",
      start: shard,
      end: shard + 1,
      wire: "fp32",
    }),
  });

  const send = async (): Promise<void> => {
    call.compute(() => {
      for (const { start, values } of blocks) out.set(values, start * length);
    });
    await hook("gather:before-write", call.tag);
    const writes = blocks.flatMap(({ start, values }) =>
      chunks.map((chunk) => messenger.sendNumbers(call, placeOf(start, chunk), "all", values, chunk.first)),
    );
    await Promise.all(writes);
    await hook("gather:after-write", call.tag);
    call.sent();
  };
  const receive = async (): Promise<void> => {
    await hook("gather:before-read", call.tag);
    const missing = assignment.rankOfShard.flatMap((owner, shard) =>
      owner === rank ? [] : chunks.map((chunk) => ({ shard, chunk })),
    );
    await inOrder(missing, READ_WINDOW, ({ shard, chunk }) =>
      messenger.takeBlocks(call, placeOf(shard, chunk), (bytes, byteOffset, first, count) => {
        unpackVector(bytes, byteOffset, count, "fp32", out, shard * length + chunk.first + first);
      }),
    );
  };
  return [send(), receive()];
}
