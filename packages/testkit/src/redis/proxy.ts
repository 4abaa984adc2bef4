import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A wire between clients and a server that a test can cut: it listens on a Unix socket and passes bytes on. */
export interface RedisProxy {
  readonly url: string;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Ends every connection now; new ones are taken. */
  drop(): void;
  /** Each new connection is ended once it has passed on so many bytes towards the client, in the middle of a reply, say. */
  dropAfterBytes(bytes: number | undefined): void;
  /** While true nothing passes either way and nothing is closed, as when a network is cut. */
  hold(held: boolean): void;
  close(): Promise<void>;
}

/** A proxy in front of a server that `unix:///path` names. */
export async function startProxy(serverUrl: string): Promise<RedisProxy> {
  const target = new URL(serverUrl).pathname;
  const folder = mkdtempSync(join(tmpdir(), "gmc-proxy-"));
  const path = join(folder, "proxy.sock");
  const sockets = new Set<Socket>();
  let limit: number | undefined;
  let held = false;
  let accepted = 0;

  const forget = (socket: Socket): void => {
    sockets.delete(socket);
  };
  const server = createServer((client) => {
    accepted++;
    const upstream = connect(target);
    let left = limit ?? Number.POSITIVE_INFINITY;
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        forget(socket);
        end();
      });
      if (held) socket.pause();
    }
    client.on("data", (bytes) => upstream.write(bytes));
    upstream.on("data", (bytes: Buffer) => {
      client.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left < 0) end();
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `unix://${path}`,
    get accepted() {
      return accepted;
    },
    drop,
    dropAfterBytes(bytes) {
      limit = bytes;
    },
    hold(wanted) {
      held = wanted;
      for (const socket of sockets) wanted ? socket.pause() : socket.resume();
    },
    async close() {
      drop();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
