import { DataError, ShapeError } from "@gmc/core";
import type { ValueHeader } from "@gmc/protocol";
import { encodeHeader, packVector, payloadBytes, unpackVector } from "@gmc/protocol";
import { expect, test } from "vitest";
import { SINK_BYTES, ValueSink } from "./value-sink.ts";

const header = (count: number, wire: "fp32" | "bf16" = "fp32"): ValueHeader => ({
  generation: "1-a",
  tag: "5/g",
  kind: "subtree",
  start: 0,
  end: 2,
  chunk: 1,
  chunks: 2,
  total: 3 * count,
  first: count,
  count,
  wire,
});
const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => i - 1000);
function encoded(head: ValueHeader): Uint8Array {
  const before = encodeHeader(head);
  const bytes = new Uint8Array(before.length + payloadBytes(head));
  bytes.set(before);
  packVector(numbers(head.count), 0, head.count, head.wire, bytes, before.length);
  return bytes;
}
function feed(bytes: Uint8Array, expected: ValueHeader, pieceBytes: number): Float32Array {
  const out = new Float32Array(expected.count);
  const sink = new ValueSink(
    "5/g/p/1/0-2",
    3,
    expected,
    bytes.length,
    new Uint8Array(SINK_BYTES),
    (block, offset, first, count) => {
      unpackVector(block, offset, count, expected.wire, out, first);
    },
  );
  const piece = new Uint8Array(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const length = Math.min(pieceBytes, bytes.length - at);
    piece.set(bytes.subarray(at, at + length));
    sink.write(piece.subarray(0, length));
    piece.fill(255); // a piece is used again
  }
  sink.end();
  return out;
}

test.each([1, 3, 7, 64, 4096, 16_385, 1_000_000])(
  "numbers come through pieces of %d bytes as they were",
  (pieceBytes) => {
    for (const wire of ["fp32", "bf16"] as const) {
      for (const count of [1, 4095, 4096, 10_001]) {
        const head = header(count, wire);
        const expected = new Float32Array(count);
        const bytes = encoded(head);
        unpackVector(bytes, bytes.length - payloadBytes(head), count, wire, expected, 0);
        expect(feed(bytes, head, pieceBytes)).toEqual(expected);
      }
    }
  },
);

test("a value of another length, generation or place is refused, naming value and rank; nothing of it is used", () => {
  const bytes = encoded(header(100));
  const refused = (expected: ValueHeader) => () => feed(bytes, expected, 50);
  expect(refused({ ...header(100), total: 301 })).toThrow(ShapeError);
  expect(refused({ ...header(100), generation: "2-b" })).toThrow(/5\/g\/p\/1\/0-2 of rank 3: expected generation 2-b/);
  expect(refused({ ...header(100), chunk: 0 })).toThrow(DataError);
  expect(() => feed(new Uint8Array(3), header(100), 50)).toThrow(DataError);
  expect(() => feed(new Uint8Array(30).fill(200), header(100), 50)).toThrow(DataError);
  expect(() => feed(bytes.subarray(0, 20), header(100), 50)).toThrow(DataError);
});
