import { DataError } from "@gmc/core";
import protobuf from "protobufjs/light.js";
import { descriptor } from "./messages.gen.ts";
import type { WireFormat } from "./wire-format.ts";
import { wireBytes } from "./wire-format.ts";

/** What a value is: one shard's block, a partial sum over a subtree of shards, or the sum over all. */
export type ValueKind = "shard" | "subtree" | "sum";

/** What stands before the raw payload of every value that a collective writes; see `proto/collective.proto`. */
export interface ValueHeader {
  /** Id of the generation that wrote it. */
  readonly generation: string;
  readonly tag: string;
  readonly kind: ValueKind;
  /** Shards [start, end) that the values belong to or are summed over. */
  readonly start: number;
  readonly end: number;
  /** Piece `chunk` of `chunks`. */
  readonly chunk: number;
  readonly chunks: number;
  /** Elements of the whole vector; here are [first, first + count). */
  readonly total: number;
  readonly first: number;
  readonly count: number;
  readonly wire: WireFormat;
}

/** A received value's header, and where its payload starts. */
export interface ValueHead {
  readonly header: ValueHeader;
  readonly payloadOffset: number;
}

const VERSION = 1;
const KINDS: readonly ValueKind[] = ["shard", "subtree", "sum"];
const WIRES: readonly WireFormat[] = ["fp32", "bf16"];
const LENGTH_BYTES = 4;
const ALIGNMENT = 8;
/** No tag is that long. */
const LARGEST_HEAD_BYTES = 4096;

const type = protobuf.Root.fromJSON(descriptor).lookupType("gmc.ValueHeader");

/** A header's bytes, padded so that the payload behind them starts on a multiple of eight; equal headers, equal bytes. */
export function encodeHeader(header: ValueHeader): Uint8Array {
  const { generation, tag, start, end, chunk, chunks, total, first, count } = header;
  const kind = KINDS.indexOf(header.kind);
  const wire = WIRES.indexOf(header.wire);
  const message = { version: VERSION, generation, tag, kind, start, end, chunk, chunks, total, first, count, wire };
  const body = type.encode(message).finish();
  const bytes = new Uint8Array(Math.ceil((LENGTH_BYTES + body.length) / ALIGNMENT) * ALIGNMENT);
  for (let i = 0; i < LENGTH_BYTES; i++) bytes[i] = body.length >>> (8 * i); // little-endian
  bytes.set(body, LENGTH_BYTES);
  return bytes;
}

/** Bytes of the payload behind such a header. */
export const payloadBytes = ({ count, wire }: ValueHeader): number => count * wireBytes(wire);

/**
 * The header and the place of the payload, or undefined while not all of what stands before it is there.
 *
 * @param bytes      the value's beginning
 * @param sizeBytes  of the whole value
 * @param name       of the value, for the error
 * @throws {DataError} when it is no such message, or shorter or longer than its header says
 */
export function decodeHead(bytes: Uint8Array, sizeBytes: number, name: string): ValueHead | undefined {
  if (bytes.length < LENGTH_BYTES && bytes.length < sizeBytes) return undefined;
  const length = bytes.length < LENGTH_BYTES ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const payloadOffset = Math.ceil((LENGTH_BYTES + length) / ALIGNMENT) * ALIGNMENT;
  if (length < 1 || payloadOffset > Math.min(sizeBytes, LARGEST_HEAD_BYTES)) {
    throw new DataError(`Value ${name}: ${sizeBytes} bytes are no message of ours.`, { name });
  }
  if (bytes.length < payloadOffset) return undefined;
  const header = decodeHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), name);
  const expected = payloadOffset + payloadBytes(header);
  if (sizeBytes === expected) return { header, payloadOffset };
  throw new DataError(`Value ${name}: expected ${expected} bytes, received ${sizeBytes}.`, { name, expected });
}

/** The same for a value that is all there. */
export function decodeValue(bytes: Uint8Array, name: string): ValueHead {
  const head = decodeHead(bytes, bytes.length, name);
  if (head) return head;
  throw new DataError(`Value ${name}: ${bytes.length} bytes are no message of ours.`, { name });
}

function decodeHeader(bytes: Uint8Array, name: string): ValueHeader {
  try {
    return checkedHeader(type.toObject(type.decode(bytes), { defaults: true }), name);
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`Value ${name}: its header cannot be read.`, { name }, { cause });
  }
}

function checkedHeader({ version, kind, wire, ...rest }: Readonly<Record<string, unknown>>, name: string): ValueHeader {
  if (version !== VERSION) {
    const message = `Value ${name}: expected message version ${VERSION}, received ${String(version)}; run the same version on every worker.`;
    throw new DataError(message, { name, version });
  }
  const known = { kind: KINDS[Number(kind)], wire: WIRES[Number(wire)] };
  if (!known.kind || !known.wire) throw new DataError(`Value ${name}: unknown kind or wire format.`, { name });
  return { ...rest, ...known } as ValueHeader;
}
