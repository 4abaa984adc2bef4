/** A command's answer; an error of the server is an `Error` with its words. */
export type RedisReply = string | number | null | BulkSink | Error | readonly RedisReply[];

/** What takes the bytes of a bulk string as they come; a piece is only valid during the call. */
export interface BulkSink {
  write(piece: Uint8Array): void;
}

/** Where a reader puts what it reads. */
export interface RespSink {
  /** Where the next bulk string of that many bytes goes, which is then the reply; undefined: make it text. */
  target(sizeBytes: number): BulkSink | undefined;
  reply(reply: RedisReply): void;
}

/**
 * Reads Redis replies (RESP2) from pieces of any size, which may be one buffer that is filled again and again. A bulk
 * string is not copied here: its target sees the pieces as they are.
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
    const taken = Math.min(length - at, bulk.sizeBytes + LINE_END.length - bulk.filled);
    const payload = Math.min(taken, bulk.sizeBytes - bulk.filled);
    if (payload > 0) bulk.target.write(piece.subarray(at, at + payload));
    bulk.filled += taken;
    if (bulk.filled === bulk.sizeBytes + LINE_END.length) {
      this.#bulk = undefined;
      this.#take(bulk.target instanceof TextSink ? bulk.target.text() : bulk.target);
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
    const target = this.#arrays.length === 0 ? this.#sink.target(sizeBytes) : undefined;
    this.#bulk = { target: target ?? new TextSink(), sizeBytes, filled: 0 };
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
  readonly target: BulkSink;
  readonly sizeBytes: number;
  filled: number;
}

class TextSink implements BulkSink {
  readonly #pieces: Buffer[] = [];

  write(piece: Uint8Array): void {
    this.#pieces.push(Buffer.from(piece)); // a copy
  }

  text(): string {
    return Buffer.concat(this.#pieces).toString("utf8");
  }
}
