import type { ValueHeader, WireFormat } from "@gmc/protocol";
import { encodeHeader, packVector, payloadBytes } from "@gmc/protocol";
import type { Chunk } from "../chunk-plan.ts";
import { BufferPool } from "./buffer-pool.ts";
import { ByteGate } from "./byte-gate.ts";
import type { Call } from "./call.ts";
import type { OnBlock } from "./value-sink.ts";
import { SINK_BYTES, ValueSink } from "./value-sink.ts";
import type { ValueStore } from "./value-store.ts";

/** Bytes a worker has on their way to the servers at most. */
const WRITE_WINDOW_BYTES = 32 * 1024 * 1024;
const POOL_BYTES = 64 * 1024 * 1024;

/** A value: where it lies, who writes it, and what its header says. */
export interface ValuePlace {
  readonly store: ValueStore;
  readonly name: string;
  /** Rank that writes it. */
  readonly writer: number;
  readonly header: ValueHeader;
}

/** Sends and takes the values of a group's calls. */
export class Messenger {
  readonly pool = new BufferPool(POOL_BYTES);
  readonly #gate = new ByteGate(WRITE_WINDOW_BYTES);

  /** Writes numbers of the caller's: as they are from where they are, or rounded from a buffer of the pool. */
  async sendNumbers(
    call: Call,
    place: ValuePlace,
    door: number | "all",
    values: Float32Array,
    first: number,
  ): Promise<void> {
    const { count, wire } = place.header;
    if (wire === "fp32") {
      await this.#send(
        call,
        place,
        door,
        () => new Uint8Array(values.buffer, values.byteOffset + first * 4, count * 4),
      );
      return;
    }
    const packed = this.pool.acquire(payloadBytes(place.header));
    const pack = (): Uint8Array => {
      packVector(values, first, count, wire, packed, 0);
      return packed;
    };
    await this.#send(call, place, door, pack).finally(() => this.pool.release(packed));
  }

  /** Writes wire bytes that are ready. */
  async sendBytes(call: Call, place: ValuePlace, door: number | "all", payload: Uint8Array): Promise<void> {
    await this.#send(call, place, door, () => payload);
  }

  /** Takes a value's numbers block by block, as they come. */
  async takeBlocks(call: Call, { store, name, writer, header }: ValuePlace, onBlock: OnBlock): Promise<void> {
    let sink: ValueSink | undefined;
    const rest = this.pool.acquire(SINK_BYTES);
    const guarded: OnBlock = (...block) => call.compute(() => onBlock(...block));
    const target = (sizeBytes: number): ValueSink => {
      call.bytesIn += sizeBytes;
      sink = new ValueSink(name, writer, header, sizeBytes, rest, guarded);
      return sink;
    };
    await call.waitFor(name, writer, header.kind, () => store.take(name, call.signal, target));
    sink?.end();
    this.pool.release(rest); // not after a failure: the connection may still be filling it
  }

  /** Takes a value's wire bytes into a buffer of the pool, which is the caller's to release. */
  async takeBytes(call: Call, place: ValuePlace): Promise<Uint8Array> {
    const payload = this.pool.acquire(payloadBytes(place.header));
    const width = payload.length / Math.max(1, place.header.count);
    await this.takeBlocks(call, place, (bytes, byteOffset, first, count) => {
      payload.set(bytes.subarray(byteOffset, byteOffset + count * width), first * width);
    });
    return payload;
  }

  async #send(
    call: Call,
    { store, name, header }: ValuePlace,
    door: number | "all",
    payload: () => Uint8Array,
  ): Promise<void> {
    const head = encodeHeader(header);
    const sizeBytes = head.length + payloadBytes(header);
    await this.#gate.enter(sizeBytes);
    try {
      const bytes = call.compute(payload);
      call.bytesOut += sizeBytes;
      await store.write(name, door, [head, bytes], call);
    } finally {
      this.#gate.leave(sizeBytes);
    }
  }
}

/** A header of a chunk of one vector of `total` numbers. */
export function chunkHeader(
  generation: string,
  tag: string,
  { index, first, count }: Pick<Chunk, "index" | "first" | "count">,
  chunks: number,
  total: number,
  what: { readonly kind: ValueHeader["kind"]; readonly start: number; readonly end: number; readonly wire: WireFormat },
): ValueHeader {
  return { generation, tag, chunk: index, chunks, total, first, count, ...what };
}
