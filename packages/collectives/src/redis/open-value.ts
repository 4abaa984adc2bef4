import { DataError, ShapeError } from "@gmc/core";
import type { ValueHeader } from "@gmc/protocol";
import { decodeValue } from "@gmc/protocol";

/**
 * Where the payload of a received value begins, after checking that it is the one that was asked for.
 *
 * @throws {ShapeError} when the other rank's vector has another length
 * @throws {DataError} for anything else
 */
export function openValue(bytes: Uint8Array, name: string, rank: number, expected: ValueHeader): number {
  const { header, payloadOffset } = decodeValue(bytes, name);
  if (header.total !== expected.total) {
    throw new ShapeError(`"${expected.tag}", rank ${rank}`, [expected.total], [header.total]);
  }
  for (const [field, value] of Object.entries(expected)) {
    const received = header[field as keyof ValueHeader];
    if (received === value) continue;
    const text = `Value ${name} of rank ${rank}: expected ${field} ${value}, received ${received}; run every worker with the same settings.`;
    throw new DataError(text, { name, rank, field, expected: value, received });
  }
  return payloadOffset;
}
