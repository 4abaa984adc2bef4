import { DataError } from "@gmc/core";
import { expect, test } from "vitest";
import type { ValueHeader } from "./message.ts";
import { decodeHead, decodeValue, encodeHeader, payloadBytes } from "./message.ts";

const header: ValueHeader = {
  generation: "7-f3a9",
  tag: "12/image",
  kind: "subtree",
  start: 2,
  end: 4,
  chunk: 1,
  chunks: 3,
  total: 101,
  first: 34,
  count: 34,
  wire: "bf16",
};
const message = (from: ValueHeader, extra = 0) => {
  const head = encodeHeader(from);
  const bytes = new Uint8Array(head.length + payloadBytes(from) + extra);
  bytes.set(head);
  return bytes;
};

test("a header comes back as it was sent, zeros included, and the payload starts on a multiple of eight", () => {
  for (const sent of [
    header,
    { ...header, kind: "shard", start: 0, chunk: 0, first: 0, count: 0, wire: "fp32" } as const,
  ]) {
    const { header: received, payloadOffset } = decodeValue(message(sent), "x");
    expect(received).toEqual(sent);
    expect(payloadOffset % 8).toBe(0);
  }
});

test("cut, padded and foreign bytes are refused, naming the value", () => {
  const whole = message(header);
  for (const bytes of [
    whole.subarray(0, whole.length - 1),
    message(header, 2),
    new Uint8Array(0),
    new Uint8Array(40).fill(255),
  ]) {
    expect(() => decodeValue(bytes, "12/image/p/1")).toThrow(DataError);
    expect(() => decodeValue(bytes, "12/image/p/1")).toThrow(/12\/image\/p\/1/);
  }
});

test("another version of the layout is refused", () => {
  const bytes = message(header);
  expect([bytes[4], bytes[5]]).toEqual([8, 1]); // field 1, version 1
  bytes[5] = 2;
  expect(() => decodeValue(bytes, "x")).toThrow(/expected message version 1, received 2/);
});

test("a head that is not all there yet is undefined, byte by byte, until the payload begins", () => {
  const bytes = message(header);
  const { payloadOffset } = decodeValue(bytes, "x");
  for (let length = 0; length < payloadOffset; length++) {
    expect(decodeHead(bytes.subarray(0, length), bytes.length, "x")).toBe(undefined);
  }
  expect(decodeHead(bytes.subarray(0, payloadOffset), bytes.length, "x")?.header).toEqual(header);
});
