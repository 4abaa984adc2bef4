import { expect, test } from "vitest";
import type { RedisReply } from "./resp-reader.ts";
import { RespReader } from "./resp-reader.ts";

const STREAM =
  "+OK\r\n:-7\r\n$-1\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n-WRONGTYPE no\r\n*-1\r\n*0\r\n*2\r\n*2\r\n$1\r\nx\r\n:1\r\n$3\r\ngrü\r\n+END\r\n".replace(
    "$3\r\ngrü",
    "$4\r\ngrü",
  );

function readInPieces(text: string, pieceBytes: number, room: (sizeBytes: number) => Uint8Array | undefined) {
  const replies: RedisReply[] = [];
  const reader = new RespReader({ room, reply: (reply) => replies.push(reply) });
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

test.each([1, 4, 100])("a bulk string goes to the room it is given, in pieces of %d bytes", (pieceBytes) => {
  const rooms: Uint8Array[] = [];
  const replies = readInPieces("$6\r\nabc\r\nd\r\n:1\r\n", pieceBytes, (size) => {
    rooms.push(new Uint8Array(size));
    return rooms.at(-1);
  });
  expect(replies[0]).toBe(rooms[0]);
  expect(Buffer.from(rooms[0]!).toString()).toBe("abc\r\nd");
  expect(replies[1]).toBe(1);
});

test("bytes that are no reply are refused", () => {
  expect(() => readInPieces("HTTP/1.1 400\r\n", 100, () => undefined)).toThrow(/HTTP/);
});
