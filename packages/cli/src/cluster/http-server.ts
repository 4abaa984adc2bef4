import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "@gmc/core";
import type { HttpServer } from "@gmc/storage";
import { listenHttp, sendText } from "@gmc/storage";
import { InvalidArgumentError, Option } from "commander";

/** Answers a request; false where its path is none of the handler's. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface HttpAddress {
  readonly host: string;
  readonly port: number;
}

/** `--http HOST:PORT`, `--http PORT` for this machine alone. */
export const httpOption = (what: string): Option =>
  new Option("--http <host:port>", `${what}; a port alone: for this machine only`).argParser(parseHttpAddress);

/** `--board-password`, or GMC_BOARD_PASSWORD: in the environment it stands in no list of processes. */
export const boardPasswordOption = (): Option =>
  new Option("--board-password <text>", "with --http: show the queue's board at /board to those who know it").env(
    "GMC_BOARD_PASSWORD",
  );

/** @throws {InvalidArgumentError} for what is no address */
export function parseHttpAddress(text: string): HttpAddress {
  const [, host = "", digits = ""] = /^(?:(.*):)?(\d+)$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) throw new InvalidArgumentError("Expected HOST:PORT, such as 0.0.0.0:8766.");
  return { host: host.replace(/^\[|\]$/g, "") || "127.0.0.1", port };
}

/** One server for several handlers, asked in order. Its addresses are logged. @throws {UsageError} for an address in use */
export async function serveHandlers(
  address: HttpAddress,
  handlers: readonly HttpHandler[],
  logger: Logger,
): Promise<HttpServer> {
  const server = await listenHttp((request, response) => {
    if (!handlers.some((handler) => handler(request, response))) sendText(response, 404, "There is nothing here.\n");
  }, address);
  logger.info("http.listening", { url: server.url, publicUrls: server.publicUrls });
  return server;
}
