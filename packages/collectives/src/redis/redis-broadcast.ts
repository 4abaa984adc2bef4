import { unpackVector } from "@gmc/protocol";
import type { Chunk } from "../chunk-plan.ts";
import { chunkPlan } from "../chunk-plan.ts";
import type { Call } from "./call.ts";
import type { Group } from "./group.ts";
import { READ_WINDOW, storeAt } from "./group.ts";
import { inOrder } from "./in-order.ts";
import type { ValuePlace } from "./messenger.ts";
import { chunkHeader } from "./messenger.ts";
import { broadcastLengthName, broadcastName } from "./value-names.ts";

/** Writes a rank's values for all: their length first, which the others do not know. */
export async function giveBroadcast(group: Group, call: Call, values: Float32Array): Promise<void> {
  const { rank, messenger, hook } = group;
  await hook("broadcast:before-write", call.tag);
  const length = packLength(values.length);
  await messenger.sendNumbers(call, lengthPlace(group, call, rank), "all", length, 0);
  await Promise.all(
    places(group, call, rank, values.length).map(({ place, chunk }) =>
      messenger.sendNumbers(call, place, "all", values, chunk.first),
    ),
  );
  await hook("broadcast:after-write", call.tag);
  call.sent();
}

/** Reads what another rank gives. */
export async function takeBroadcast(group: Group, call: Call, rank: number): Promise<Float32Array> {
  const { messenger } = group;
  const length = new Float32Array(LENGTH_NUMBERS);
  await messenger.takeBlocks(call, lengthPlace(group, call, rank), (bytes, byteOffset, first, count) => {
    unpackVector(bytes, byteOffset, count, "fp32", length, first);
  });
  const out = new Float32Array(unpackLength(length));
  await inOrder(places(group, call, rank, out.length), READ_WINDOW, ({ place, chunk }) =>
    messenger.takeBlocks(call, place, (bytes, byteOffset, first, count) => {
      unpackVector(bytes, byteOffset, count, "fp32", out, chunk.first + first);
    }),
  );
  return out;
}

/** A length is a float64 seen as two float32: bits are moved. */
const LENGTH_NUMBERS = 2;
const packLength = (length: number): Float32Array => new Float32Array(Float64Array.of(length).buffer);
const unpackLength = (numbers: Float32Array): number => new Float64Array(numbers.slice().buffer)[0] ?? 0;

function lengthPlace(group: Group, { tag }: Call, rank: number): ValuePlace {
  const whole = { index: 0, first: 0, count: LENGTH_NUMBERS };
  return {
    store: storeAt(group, 0),
    name: broadcastLengthName(tag),
    writer: rank,
    header: header(group, tag, rank, whole, 1, LENGTH_NUMBERS),
  };
}

function places(group: Group, { tag }: Call, rank: number, length: number) {
  const chunks = chunkPlan(tag, length, group.chunkBytes / 4, 1, group.stores.length);
  return chunks.map((chunk) => {
    const place: ValuePlace = {
      store: storeAt(group, chunk.server),
      name: broadcastName(tag, chunk.index),
      writer: rank,
      header: header(group, tag, rank, chunk, chunks.length, length),
    };
    return { place, chunk };
  });
}

const header = (
  group: Group,
  tag: string,
  rank: number,
  chunk: Pick<Chunk, "index" | "first" | "count">,
  chunks: number,
  length: number,
) =>
  chunkHeader(group.generation, tag, chunk, chunks, length, {
    kind: "shard",
    start: rank,
    end: rank + 1,
    wire: "fp32",
  });
