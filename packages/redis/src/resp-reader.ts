/** A command's answer; an error of the server is an `Error` with its words. */
export type RedisReply = string | number | null | Uint8Array | Error | readonly RedisReply[];

/** Where a reader puts what it reads. */
export interface RespSink {
  /** Room for the next bulk string of that many bytes, which is then the reply; undefined: make it a string. */
  room(sizeBytes: number): Uint8Array | undefined;
  reply(reply: RedisReply): void;
}

/**
 * Reads Redis replies (RESP2) from pieces of any size. A bulk string is copied once, from the piece to the room that
 * the sink gives; the pieces may be one buffer that is filled again and again.
 */
export class RespReader {
  readonly #sink: RespSink;
  #line = "";
  #bulk: Bulk | undefined;
  readonly #arrays: { readonly items: RedisReply[]; missing: number }[] = [];

  constructor(sink: RespSink) {
    this.#sink = sink;
  }

  /** Takes the first `length` bytes of a piece. @throws {Error} on bytes that are no RESP2 */
  write(piece: Buffer, length: number): void {
    let at = 0;
    while (at < length) at = this.#bulk ? this.#fill(this.#bulk, piece, at, length) : this.#readLine(piece, at, length);
  }

  #fill(bulk: Bulk, piece: Buffer, at: number, length: number): number {
    const { bytes } = bulk;
    const taken = Math.min(length - at, bytes.length + LINE_END.length - bulk.filled);
    const payload = Math.min(taken, bytes.length - bulk.filled);
    if (payload > 0) bytes.set(piece.subarray(at, at + payload), bulk.filled);
    bulk.filled += taken;
    if (bulk.filled === bytes.length + LINE_END.length) {
      this.#bulk = undefined;
      this.#take(bulk.asText ? Buffer.from(bytes.buffer, 0, bytes.length).toString("utf8") : bytes);
    }
    return at + taken;
  }

  #readLine(piece: Buffer, at: number, length: number): number {
    const newline = piece.indexOf(10, at);
    const end = newline < 0 || newline >= length ? length : newline + 1;
    this.#line += piece.toString("latin1", at, end);
    if (this.#line.endsWith(LINE_END)) {
      const line = this.#line.slice(0, -LINE_END.length);
      this.#line = "";
      this.#handle(line);
    }
    return end;
  }

  #handle(line: string): void {
    const rest = line.slice(1);
    switch (line[0]) {
      case "$":
        if (rest === "-1") this.#take(null);
        else this.#expectBulk(Number(rest));
        break;
      case ":":
        this.#take(Number(rest));
        break;
      case "+":
        this.#take(rest);
        break;
      case "-":
        this.#take(new Error(rest));
        break;
      case "*":
        this.#expectArray(Number(rest));
        break;
      default:
        throw new Error(`No reply of Redis begins with ${JSON.stringify(line.slice(0, 20))}.`);
    }
  }

  #expectBulk(sizeBytes: number): void {
    const room = this.#arrays.length === 0 ? this.#sink.room(sizeBytes) : undefined;
    this.#bulk = { bytes: room ?? new Uint8Array(sizeBytes), asText: room === undefined, filled: 0 };
  }

  #expectArray(count: number): void {
    if (count < 0) this.#take(null);
    else if (count === 0) this.#take([]);
    else this.#arrays.push({ items: [], missing: count });
  }

  /** A finished value: an element of the innermost open array, or a reply. */
  #take(value: RedisReply): void {
    const open = this.#arrays.at(-1);
    if (!open) {
      this.#sink.reply(value);
      return;
    }
    open.items.push(value);
    open.missing--;
    if (open.missing > 0) return;
    this.#arrays.pop();
    this.#take(open.items);
  }
}

const LINE_END = "\r\n";
/** A bulk string under way; `filled` counts the line end behind it too. */
interface Bulk {
  readonly bytes: Uint8Array;
  readonly asText: boolean;
  filled: number;
}
