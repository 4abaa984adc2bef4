import type { ValueHeader } from "@gmc/protocol";
import { BLOCK_LENGTH, wireBytes } from "@gmc/protocol";
import type { BulkSink } from "@gmc/redis";
import { openHead } from "./open-head.ts";

/** Numbers [first, first + count) of a payload, as wire bytes from `byteOffset` on; only valid during the call. */
export type OnBlock = (bytes: Uint8Array, byteOffset: number, first: number, count: number) => void;

/** Room that a sink needs. */
export const SINK_BYTES = BLOCK_LENGTH * 4;

/**
 * Takes a value as it comes from the socket and hands its numbers on, whole blocks at a time, mostly straight from the
 * buffer that the socket reads into: what they are used for happens while they are in the cache, and a value is not stored
 * in between. Only what a piece cuts in two is put together in a small buffer.
 */
export class ValueSink implements BulkSink {
  readonly #name: string;
  readonly #rank: number;
  readonly #expected: ValueHeader;
  readonly #sizeBytes: number;
  readonly #onBlock: OnBlock;
  readonly #blockBytes: number;
  readonly #rest: Uint8Array;
  #restBytes = 0;
  #seenBytes = 0;
  #payloadOffset: number | undefined;
  #done = 0;
  #failure: unknown;

  /**
   * @param rank  of who wrote it, for errors
   * @param rest  [SINK_BYTES] for what a piece cuts in two; the caller's again after the last piece
   */
  constructor(
    name: string,
    rank: number,
    expected: ValueHeader,
    sizeBytes: number,
    rest: Uint8Array,
    onBlock: OnBlock,
  ) {
    this.#name = name;
    this.#rank = rank;
    this.#expected = expected;
    this.#sizeBytes = sizeBytes;
    this.#rest = rest;
    this.#onBlock = onBlock;
    this.#blockBytes = BLOCK_LENGTH * wireBytes(expected.wire);
  }

  /** Never throws: the connection is not to blame for what a value holds. */
  write(piece: Uint8Array): void {
    this.#seenBytes += piece.length;
    if (this.#failure !== undefined) return;
    try {
      const payload = this.#payloadOffset === undefined ? this.#readHead(piece) : piece;
      if (payload) this.#readPayload(payload);
    } catch (error) {
      this.#failure = error;
    }
  }

  /** To be called once the value is complete. @throws what went wrong on the way */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#payloadOffset === undefined) this.#openHead(); // says what is wrong with so short a value
  }

  /** Collects what stands before the payload, and gives the rest of the piece once that is complete. */
  #readHead(piece: Uint8Array): Uint8Array | undefined {
    const before = this.#restBytes;
    const kept = piece.subarray(0, this.#rest.length - before);
    this.#rest.set(kept, before);
    this.#restBytes += kept.length;
    this.#payloadOffset = this.#openHead();
    if (this.#payloadOffset === undefined) return undefined;
    this.#restBytes = 0;
    return piece.subarray(this.#payloadOffset - before);
  }

  #openHead(): number | undefined {
    const bytes = this.#rest.subarray(0, this.#restBytes);
    return openHead(bytes, this.#sizeBytes, this.#name, this.#rank, this.#expected);
  }

  #readPayload(payload: Uint8Array): void {
    const last = this.#seenBytes === this.#sizeBytes;
    let at = 0;
    if (this.#restBytes > 0) {
      at = Math.min(this.#blockBytes - this.#restBytes, payload.length);
      this.#rest.set(payload.subarray(0, at), this.#restBytes);
      this.#restBytes += at;
      if (this.#restBytes < this.#blockBytes && !last) return;
      this.#handOn(this.#rest, 0, this.#restBytes);
      this.#restBytes = 0;
    }
    const whole = payload.length - at - ((payload.length - at) % this.#blockBytes);
    if (whole > 0) this.#handOn(payload, at, whole);
    at += whole;
    const left = payload.length - at;
    if (left === 0) return;
    if (last) this.#handOn(payload, at, left);
    else {
      this.#rest.set(payload.subarray(at));
      this.#restBytes = left;
    }
  }

  #handOn(bytes: Uint8Array, byteOffset: number, sizeBytes: number): void {
    const count = sizeBytes / wireBytes(this.#expected.wire);
    this.#onBlock(bytes, byteOffset, this.#done, count);
    this.#done += count;
  }
}
