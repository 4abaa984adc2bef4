import { expect, test } from "vitest";
import type { BulkSink, RedisReply } from "./resp-reader.ts";
import { RespReader } from "./resp-reader.ts";

const STREAM =
  "+OK\r\n:-7\r\n$-1\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n-WRONGTYPE no\r\n*-1\r\n*0\r\n*2\r\n*2\r\n$1\r\nx\r\n:1\r\n$3\r\ngrü\r\n+END\r\n".replace(
    "$3\r\ngrü",
    "$4\r\ngrü",
  );

function readInPieces(text: string, pieceBytes: number, target: (sizeBytes: number) => BulkSink | undefined) {
  const replies: RedisReply[] = [];
  const reader = new RespReader({ target, reply: (reply) => replies.push(reply) });
  const bytes = Buffer.from(text);
  const piece = Buffer.alloc(pieceBytes, "#"); // filled again and again, with rubbish behind what counts
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const length = bytes.copy(piece, 0, at, at + pieceBytes);
    reader.write(piece, length);
    piece.fill("#");
  }
  return replies;
}

test.each([1, 2, 3, 5, 17, 1000])("replies come back whole from pieces of %d bytes", (pieceBytes) => {
  const replies = readInPieces(STREAM, pieceBytes, () => undefined);
  expect(replies.map((reply) => (reply instanceof Error ? reply.message : reply))).toEqual([
    "OK",
    -7,
    null,
    "a\r\nbc",
    "",
    "WRONGTYPE no",
    null,
    [],
    [["x", 1], "grü"],
    "END",
  ]);
});

test.each([1, 4, 100])("a bulk string's bytes go to its target as they come, in pieces of %d bytes", (pieceBytes) => {
  const sizes: number[] = [];
  let seen = "";
  const target = {
    write(piece: Uint8Array) {
      seen += Buffer.from(piece).toString();
    },
  };
  const replies = readInPieces("$6\r\nabc\r\nd\r\n:1\r\n", pieceBytes, (size) => {
    sizes.push(size);
    return target;
  });
  expect(replies).toEqual([target, 1]);
  expect(sizes).toEqual([6]);
  expect(seen).toBe("abc\r\nd".slice(0, 6));
});

test("bytes that are no reply are refused", () => {
  expect(() => readInPieces("HTTP/1.1 400\r\n", 100, () => undefined)).toThrow(/HTTP/);
});
