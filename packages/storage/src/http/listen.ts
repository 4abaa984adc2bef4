import { createServer, type RequestListener, type Server } from "node:http";
import { hostname, networkInterfaces } from "node:os";
import { EnvironmentError, isLoopback, UsageError } from "@gmc/core";

/** A server that listens. */
export interface HttpServer {
  /** By which this machine reaches it, with a slash at the end. */
  readonly url: string;
  /** By which other machines do; empty where it listens on this machine only. */
  readonly publicUrls: readonly string[];
  readonly port: number;
  /** Takes no new requests, lets the ones under way finish for a while, then ends them. */
  close(): Promise<void>;
}

export interface ListenOptions {
  /** Address to listen on. Default 127.0.0.1: this machine only. */
  readonly host?: string | undefined;
  /** 0 or absent: any free one. */
  readonly port?: number | undefined;
  /** How long `close` waits for what is under way. Default 5 s. */
  readonly graceMs?: number | undefined;
}

const IDLE_MS = 120_000;

/** Listens over HTTP. @throws {UsageError} for an address in use or not this machine's */
export async function listenHttp(handler: RequestListener, options: ListenOptions = {}): Promise<HttpServer> {
  const { host = "127.0.0.1", port = 0, graceMs = 5000 } = options;
  if (port > 65_535) throw new UsageError(`Port ${port} does not exist; expected 0 to 65535.`, { port });
  const server = createServer(handler);
  server.requestTimeout = 0; // a long upload is no attack; silence ends it
  server.setTimeout(IDLE_MS);
  await listening(server, host, port);
  const address = server.address();
  if (address === null || typeof address === "string") throw new EnvironmentError("The server has no port.");
  return {
    url: urlOf(isEverywhere(host) ? "127.0.0.1" : host, address.port),
    publicUrls: publicHosts(host).map((name) => urlOf(name, address.port)),
    port: address.port,
    close: () => closeGently(server, graceMs),
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE"
          ? `port ${port} of ${host} is in use; name another port`
          : `${host}:${port} cannot be listened on (${cause.code ?? cause.message}); name an address of this machine`;
      reject(new UsageError(`Cannot serve: ${why}.`, { host, port }, { cause }));
    });
    server.listen(port, host, resolve);
  });
}

function closeGently(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), graceMs);
    const idle = setInterval(() => server.closeIdleConnections(), 50); // those that end their request meanwhile
    server.close(() => {
      clearTimeout(force);
      clearInterval(idle);
      resolve();
    });
  });
}

const isEverywhere = (host: string): boolean => host === "0.0.0.0" || host === "::";

function publicHosts(host: string): string[] {
  if (isLoopback(host)) return [];
  if (!isEverywhere(host)) return [host];
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [hostname(), ...addresses.filter((one) => !one.internal && one.family === "IPv4").map((one) => one.address)];
}

const urlOf = (host: string, port: number): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}/`;
