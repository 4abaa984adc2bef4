import { DataError, ShapeError } from "@gmc/core";
import type { ValueHeader } from "@gmc/protocol";
import { decodeHead, encodeHeader, payloadBytes } from "@gmc/protocol";

/**
 * Where the payload of a received value begins, after checking that it is the one that was asked for; undefined while
 * not enough of it is here.
 *
 * @param bytes      the value's beginning
 * @param sizeBytes  of the whole value
 * @param rank       of who wrote it, for errors
 * @throws {ShapeError} when the other rank's vector has another length
 * @throws {DataError} for anything else
 */
export function openHead(
  bytes: Uint8Array,
  sizeBytes: number,
  name: string,
  rank: number,
  expected: ValueHeader,
): number | undefined {
  const wanted = encodeHeader(expected); // as the writer encoded it: no need to decode what is as it should be
  if (sizeBytes === wanted.length + payloadBytes(expected) && beginsWith(bytes, wanted)) return wanted.length;
  const head = decodeHead(bytes, sizeBytes, name);
  if (!head) return undefined;
  const { header } = head;
  if (header.total !== expected.total) {
    throw new ShapeError(`"${expected.tag}", rank ${rank}`, [expected.total], [header.total]);
  }
  for (const [field, value] of Object.entries(expected)) {
    const received = header[field as keyof ValueHeader];
    if (received === value) continue;
    const text = `Value ${name} of rank ${rank}: expected ${field} ${value}, received ${received}; run every worker with the same settings.`;
    throw new DataError(text, { name, rank, field, expected: value, received });
  }
  return head.payloadOffset;
}

const beginsWith = (bytes: Uint8Array, start: Uint8Array): boolean =>
  bytes.length >= start.length && Buffer.compare(bytes.subarray(0, start.length), start) === 0;
