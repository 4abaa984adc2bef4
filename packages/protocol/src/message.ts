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

/** A received value: the header, and where in the bytes its payload starts. */
export interface ReceivedValue {
  readonly header: ValueHeader;
  readonly bytes: Uint8Array;
  readonly payloadOffset: number;
}

const VERSION = 1;
const KINDS: readonly ValueKind[] = ["shard", "subtree", "sum"];
const WIRES: readonly WireFormat[] = ["fp32", "bf16"];
const LENGTH_BYTES = 4;
const ALIGNMENT = 8;

const type = protobuf.Root.fromJSON(descriptor).lookupType("gmc.ValueHeader");

/** A header's bytes, padded so that the payload behind them starts on a multiple of eight. */
export function encodeHeader(header: ValueHeader): Uint8Array {
  const { kind, wire, ...rest } = header;
  const body = type
    .encode({ ...rest, version: VERSION, kind: KINDS.indexOf(kind), wire: WIRES.indexOf(wire) })
    .finish();
  const padded = Math.ceil((LENGTH_BYTES + body.length) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(padded);
  new DataView(bytes.buffer).setUint32(0, body.length, true);
  bytes.set(body, LENGTH_BYTES);
  return bytes;
}

/** Bytes of the payload behind such a header. */
export const payloadBytes = ({ count, wire }: ValueHeader): number => count * wireBytes(wire);

/**
 * The header and the place of the payload.
 *
 * @param name  of the value, for the error
 * @throws {DataError} when the bytes are not such a message, or shorter or longer than the header says
 */
export function decodeValue(bytes: Uint8Array, name: string): ReceivedValue {
  const header = decodeHeader(bytes, name);
  const payloadOffset = Math.ceil((LENGTH_BYTES + headerLength(bytes)) / ALIGNMENT) * ALIGNMENT;
  const expected = payloadOffset + payloadBytes(header);
  if (bytes.length !== expected) {
    throw new DataError(`Value ${name}: expected ${expected} bytes, received ${bytes.length}.`, { name, expected });
  }
  return { header, bytes, payloadOffset };
}

const headerLength = (bytes: Uint8Array): number =>
  bytes.length < LENGTH_BYTES ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);

function decodeHeader(bytes: Uint8Array, name: string): ValueHeader {
  const length = headerLength(bytes);
  if (length < 1 || LENGTH_BYTES + length > bytes.length) {
    throw new DataError(`Value ${name}: ${bytes.length} bytes are no message of ours.`, { name });
  }
  try {
    const message = type.decode(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
    return checkedHeader(type.toObject(message, { defaults: true }), name);
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
