import { connect as connectPlain, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import type { RedisAddress } from "./address.ts";

/** A socket as the channel needs it. */
export interface OpenSocket {
  write(piece: Uint8Array): void;
  /** True while not everything written has been handed to the system. */
  readonly unsent: boolean;
  cork(): void;
  uncork(): void;
  /** Ends it; `end` is called with the cause. */
  destroy(cause: Error): void;
}

export interface SocketEvents {
  open(): void;
  /** The piece is used again after the call. */
  data(piece: Buffer, length: number): void;
  /** Once, whether it was opened or not. */
  end(cause: Error): void;
}

const CONNECT_MS = 10_000;

/**
 * A socket to the server. A plain one reads into one buffer of `readBytes` again and again; over TLS, where Node has no
 * such thing, into buffers of its own.
 */
export function openSocket({ at, tls }: RedisAddress, readBytes: number, events: SocketEvents): OpenSocket {
  const onread = {
    buffer: Buffer.allocUnsafeSlow(readBytes),
    callback: (length: number, piece: Uint8Array) => {
      read(piece as Buffer, length);
      return true;
    },
  };
  const socket = tls ? connectTls({ ...at, ...tlsOptions(at, tls) }) : connectPlain({ ...at, onread });
  let cause = new Error("The connection to Redis ended.");
  const destroy = (error: Error): void => {
    cause = error;
    socket.destroy();
  };
  const read = (piece: Buffer, length: number): void => {
    try {
      events.data(piece, length);
    } catch (error) {
      destroy(error instanceof Error ? error : new Error(String(error)));
    }
  };
  if (tls) socket.on("data", (piece: Buffer) => read(piece, piece.length));
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 10_000);
  const slow = setTimeout(() => destroy(new Error(`No connection to Redis within ${CONNECT_MS} ms.`)), CONNECT_MS);
  socket.once(tls ? "secureConnect" : "connect", () => {
    clearTimeout(slow);
    events.open();
  });
  socket.on("error", (error) => {
    cause = error;
  });
  socket.once("close", () => {
    clearTimeout(slow);
    events.end(cause);
  });
  return {
    write: (piece) => void socket.write(piece),
    get unsent() {
      return socket.writableLength > 0;
    },
    cork: () => socket.cork(),
    uncork: () => socket.uncork(),
    destroy,
  };
}

/** TLS options as Node and ioredis take them: the host's name for the certificate, unless the host is a number. */
export function tlsOptions(at: RedisAddress["at"], tls: NonNullable<RedisAddress["tls"]>) {
  const named = "host" in at && isIP(at.host) === 0;
  return { ...(named && { servername: at.host }), ...(tls.ca !== undefined && { ca: tls.ca }) };
}
