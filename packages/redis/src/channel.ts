import { createHash } from "node:crypto";
import { CancelledError, EnvironmentError } from "@gmc/core";
import type { RedisAddress } from "./address.ts";
import { describeAddress } from "./address.ts";
import type { OpenSocket } from "./channel-socket.ts";
import { openSocket } from "./channel-socket.ts";
import type { Script } from "./connection.ts";
import type { BulkSink, RedisReply } from "./resp-reader.ts";
import { RespReader } from "./resp-reader.ts";
import { retryDelayMs } from "./retry-delay.ts";

/** A list of bytes is one argument, sent piece by piece from where it is. */
export type RedisArgument = string | number | Uint8Array | readonly Uint8Array[];

export interface SendOptions {
  /** Takes the bytes of a bulk reply, which is then the reply; asked again when the reply is read again from its start. */
  readonly target?: (sizeBytes: number) => BulkSink;
  /** Whose memory the byte arguments are; see `detach`. */
  readonly owner?: object;
}

export interface ChannelOptions {
  /** Shown by CLIENT LIST. */
  readonly name?: string;
  /** Size of the buffer that the socket reads into; larger ones need fewer calls for bulk data. */
  readonly readBytes?: number;
  /** With answers outstanding and not a byte for so long, the connection counts as dead and is opened anew. */
  readonly stallMs?: number;
  /** Called each time a connection was lost; the channel opens the next one by itself. */
  readonly onLost?: (cause: Error) => void;
}

/**
 * A connection for bulk data: payloads are written from where they are and read to where they belong, without a copy in
 * between (docs/0001-own-channel-for-bulk-data.md). Commands are answered in order. When the connection
 * breaks, a new one is opened and everything unanswered is sent again, so every command must be one that may run twice.
 */
export class RedisChannel {
  readonly #address: RedisAddress;
  readonly #options: ChannelOptions;
  readonly #unanswered: Command[] = [];
  readonly #detached = new WeakSet<object>();
  #socket: OpenSocket | undefined;
  /** Replies that belong to the handshake, not to a command. */
  #greetings = 0;
  #attempt = 0;
  #lastByteAt = 0;
  #corked = false;
  #retry: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  #failure: Error | undefined;

  constructor(address: RedisAddress, options: ChannelOptions = {}) {
    this.#address = address;
    this.#options = options;
    this.#connect();
  }

  /**
   * The reply to one command. Byte arguments must not change until it is there.
   *
   * @throws {Error} with the server's words for an error reply; CancelledError after `close`; EnvironmentError when
   *   the server refuses who we are
   */
  send(words: readonly RedisArgument[], { target, owner }: SendOptions = {}): Promise<RedisReply> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (owner && this.#detached.has(owner)) return Promise.reject(new CancelledError("The memory was taken back."));
    return new Promise((resolve, reject) => {
      const command: Command = { pieces: encodeCommand(words), target, owner, resolve, reject };
      if (this.#unanswered.length === 0) this.#lastByteAt = performance.now();
      this.#unanswered.push(command);
      if (this.#socket && this.#greetings === 0) this.#write(this.#socket, command);
    });
  }

  /**
   * Lets go of an owner's memory at once, for an owner that cannot wait for its answers: what may have to be sent again
   * is copied, a connection that has not passed everything on is given up, and nothing of that owner is taken any more.
   */
  detach(owner: object): void {
    this.#detached.add(owner);
    let found = false;
    for (const command of this.#unanswered) {
      if (command.owner !== owner) continue;
      command.pieces = command.pieces.map((piece) => Buffer.from(piece));
      command.owner = undefined;
      found = true;
    }
    if (found && this.#socket?.unsent) this.#socket.destroy(new Error("What was being sent has changed."));
  }

  /** The reply to one command, bulk strings as text. */
  command(words: readonly (string | number)[]): Promise<RedisReply> {
    return this.send(words);
  }

  /** The reply of a script: by its hash, and whole where the server does not know it yet. */
  async evaluate({ lua }: Script, keys: readonly string[], words: readonly (string | number)[]): Promise<RedisReply> {
    try {
      return await this.send(["EVALSHA", hashOf(lua), keys.length, ...keys, ...words]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return await this.send(["EVAL", lua, keys.length, ...keys, ...words]);
    }
  }

  close(): void {
    this.#fail(new CancelledError("The connection to Redis was closed."));
  }

  #connect(): void {
    const { readBytes = 65536 } = this.#options;
    const reader = new RespReader({
      target: (sizeBytes) => (this.#greetings > 0 ? undefined : this.#unanswered[0]?.target?.(sizeBytes)),
      reply: (reply) => this.#receive(reply),
    });
    const socket = openSocket(this.#address, readBytes, {
      open: () => this.#greet(socket),
      data: (piece, length) => {
        this.#lastByteAt = performance.now();
        reader.write(piece, length);
      },
      end: (cause) => this.#lose(socket, cause),
    });
    this.#socket = socket;
    this.#greetings = 1; // nothing is sent before the handshake is through
    this.#watch ??= setInterval(() => this.#checkStall(), 1000).unref();
  }

  #greet(socket: OpenSocket): void {
    const { username, password, db } = this.#address;
    const greetings: string[][] = [];
    if (password !== undefined) greetings.push(["AUTH", ...(username === undefined ? [] : [username]), password]);
    if (db !== 0) greetings.push(["SELECT", String(db)]);
    greetings.push(["CLIENT", "SETNAME", this.#options.name ?? "gmc"], ["PING"]); // PING says whether it is still loading
    this.#greetings = greetings.length;
    for (const words of greetings) for (const piece of encodeCommand(words)) socket.write(piece);
  }

  #receive(reply: RedisReply): void {
    if (this.#greetings > 0) {
      this.#receiveGreeting(reply);
      return;
    }
    const command = this.#unanswered.shift();
    if (reply instanceof Error) command?.reject(reply);
    else command?.resolve(reply);
  }

  #receiveGreeting(reply: RedisReply): void {
    if (reply instanceof Error && REFUSED.test(reply.message)) {
      const text = `Redis at ${describeAddress(this.#address)} refuses us: ${reply.message} Check user and password in its URL.`;
      this.#fail(new EnvironmentError(text, { address: describeAddress(this.#address) }));
      return;
    }
    if (reply instanceof Error && reply.message.startsWith("LOADING")) {
      this.#socket?.destroy(reply);
      return;
    }
    this.#greetings--;
    if (this.#greetings > 0) return;
    this.#attempt = 0;
    for (const command of this.#unanswered) if (this.#socket) this.#write(this.#socket, command);
  }

  /** What is sent within one turn of the event loop leaves in one call. */
  #write(socket: OpenSocket, { pieces }: Command): void {
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    for (const piece of pieces) socket.write(piece);
  }

  #lose(socket: OpenSocket, cause: Error): void {
    if (this.#socket !== socket || this.#failure) return;
    this.#socket = undefined;
    this.#attempt++;
    this.#options.onLost?.(cause);
    this.#retry = setTimeout(() => this.#connect(), retryDelayMs(this.#attempt));
  }

  #checkStall(): void {
    const { stallMs = 15_000 } = this.#options;
    if (this.#unanswered.length === 0 || performance.now() - this.#lastByteAt < stallMs) return;
    this.#lastByteAt = performance.now();
    this.#socket?.destroy(new Error(`Redis has not answered for ${stallMs} ms.`));
  }

  #fail(failure: Error): void {
    if (this.#failure) return;
    this.#failure = failure;
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#socket?.destroy(failure);
    for (const command of this.#unanswered.splice(0)) command.reject(failure);
  }
}

interface Command {
  pieces: readonly Uint8Array[];
  owner: object | undefined;
  readonly target: SendOptions["target"];
  readonly resolve: (reply: RedisReply) => void;
  readonly reject: (error: Error) => void;
}

const hashes = new Map<string, string>();
function hashOf(lua: string): string {
  const known = hashes.get(lua) ?? createHash("sha1").update(lua).digest("hex");
  hashes.set(lua, known);
  return known;
}

const REFUSED = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password|ERR DB index)/;

/** The command as Redis wants it; byte arguments are not copied. */
function encodeCommand(words: readonly RedisArgument[]): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let text = `*${words.length}\r\n`;
  for (const word of words) {
    if (typeof word === "object") {
      const parts = word instanceof Uint8Array ? [word] : word;
      pieces.push(Buffer.from(`${text}$${parts.reduce((sum, { length }) => sum + length, 0)}\r\n`), ...parts);
      text = "\r\n";
    } else {
      const written = String(word);
      text += `$${Buffer.byteLength(written)}\r\n${written}\r\n`;
    }
  }
  pieces.push(Buffer.from(text));
  return pieces;
}
