import { createHash, timingSafeEqual } from "node:crypto";
import { lstat, open } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join, resolve } from "node:path";
import { encodeError, GmcError, type Logger, StaleGenerationError, silentLogger, UsageError } from "@gmc/core";
import { type HttpServer, type ListenOptions, listenHttp } from "../http/listen.ts";
import { sendFile, sendText } from "../http/send-file.ts";
import { type Fence, Fences, parseFence } from "./fences.ts";
import { plainParts } from "./file-store.ts";
import { openFolderStore } from "./folder-store.ts";
import { CLAIM_HEADER, FENCE_HEADER, SUM_HEADER } from "./remote-store.ts";

export interface RunStoreOptions {
  /** Folder below which runs lie. */
  readonly root: string;
  /** What clients must send as a bearer token; at least 16 characters. */
  readonly token: string;
  /** Path below which the store answers, with slashes at both ends. Default "/runs/". */
  readonly prefix?: string | undefined;
  /** Largest file that is taken. Default 16 GiB. */
  readonly maxFileBytes?: number | undefined;
  /** Where sums are remembered. Default: the process's cache folder. */
  readonly cache?: string | undefined;
  /** Gets a line for each change and each failure. Default: silent. */
  readonly logger?: Logger | undefined;
}

/** Answers one request; false where its path is none of the store's. */
export type RunStoreHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

const DEFAULT_MAX_BYTES = 2 ** 34;

/**
 * Serves the runs in a folder until `close`; `url` is what `pushRun` and `pullRun` take.
 *
 * @throws {UsageError} for a token that is too short, or an address that cannot be listened on
 */
export async function serveRuns(options: RunStoreOptions & ListenOptions): Promise<HttpServer> {
  const handler = runStoreHandler(options);
  const server = await listenHttp((request, response) => {
    if (!handler(request, response)) sendText(response, 404, "Only runs are here.\n");
  }, options);
  const below = (url: string) => new URL(options.prefix ?? "/runs/", url).href;
  return { ...server, url: below(server.url), publicUrls: server.publicUrls.map(below) };
}

/**
 * A handler for a server of one's own. Below the prefix: `RUN/` lists a run's files (GET), `RUN/PATH` is one of them
 * (GET and HEAD with ranges, PUT as a whole with its sha256, DELETE). RUN is one encoded part of the path.
 *
 * @throws {UsageError} for a token that is too short
 */
export function runStoreHandler(options: RunStoreOptions): RunStoreHandler {
  const { token, prefix = "/runs/", logger = silentLogger } = options;
  if (token.length < 16) throw new UsageError("The run store's token needs 16 characters or more.");
  const store = new RunStore(options);
  return (request, response) => {
    const path = request.url?.split("?")[0] ?? "";
    if (!path.startsWith(prefix)) return false;
    store.answer(request, response, path.slice(prefix.length)).catch((error: unknown) => {
      if (!(error instanceof Refusal))
        logger.warn("runs.failed", { method: request.method, path, reason: String(error) });
      refuse(request, response, error);
    });
    return true;
  };
}

/** An answer other than success, with its status. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

class RunStore {
  readonly #root: string;
  readonly #options: RunStoreOptions;
  readonly #logger: Logger;
  readonly #token: Buffer;
  readonly #fences = new Fences();

  constructor(options: RunStoreOptions) {
    this.#root = resolve(options.root);
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#token = digest(`Bearer ${options.token}`);
  }

  async answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    if (!timingSafeEqual(digest(request.headers.authorization ?? ""), this.#token)) {
      response.setHeader("www-authenticate", "Bearer");
      throw new Refusal(401, "The run store needs its token.");
    }
    const { run, file } = placeOf(path);
    const folder = join(this.#root, ...run);
    await this.#refuseLinks([...run, ...file]);
    const fence = fenceOf(request);
    if (fence) await this.#fences.raise(folder, fence, request.headers[CLAIM_HEADER] !== undefined);
    if (file.length === 0) return this.#list(request, response, folder);
    switch (request.method) {
      case "GET":
      case "HEAD":
        return this.#get(request, response, join(folder, ...file));
      case "PUT":
        return this.#put(request, response, folder, file.join("/"), fence);
      case "DELETE":
        await this.#files(folder, fence).remove(file.join("/"));
        this.#logger.info("runs.removed", { run: run.join("/"), file: file.join("/") });
        return sendText(response, 200, "");
      default:
        throw new Refusal(405, "Only GET, HEAD, PUT and DELETE.");
    }
  }

  async #list(request: IncomingMessage, response: ServerResponse, folder: string): Promise<void> {
    if (request.method !== "GET") throw new Refusal(405, "Only GET lists a run.");
    const files = await this.#files(folder).list();
    sendText(response, 200, JSON.stringify({ files: [...files.values()] }), "application/json");
  }

  async #get(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const handle = await open(path, "r").catch(() => undefined);
    if (!handle) throw new Refusal(404, "The run has no such file.");
    try {
      const found = await handle.stat();
      if (!found.isFile()) throw new Refusal(404, "The run has no such file.");
      const tag = await sumOf(handle, found.size);
      await sendFile(request, response, { handle, bytes: found.size, tag, type: "application/octet-stream" });
    } finally {
      await handle.close();
    }
  }

  async #put(
    request: IncomingMessage,
    response: ServerResponse,
    folder: string,
    path: string,
    fence: Fence | undefined,
  ): Promise<void> {
    const { maxFileBytes = DEFAULT_MAX_BYTES } = this.#options;
    const length = request.headers["content-length"];
    if (length === undefined) throw new Refusal(411, "A file comes with its content-length.");
    const bytes = Number(length);
    if (bytes > maxFileBytes) throw new Refusal(413, `A file has at most ${maxFileBytes} bytes.`);
    const sha256 = request.headers[SUM_HEADER];
    if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) {
      throw new Refusal(400, `A file comes with its sha256 in the header ${SUM_HEADER}.`);
    }
    await this.#files(folder, fence).put({ path, bytes, sha256 }, request);
    this.#logger.info("runs.put", { folder, file: path, bytes });
    sendText(response, 200, "");
  }

  /** A generation that ends while a file comes in must not have it put in place. */
  #files(folder: string, fence?: Fence) {
    return openFolderStore(folder, {
      cache: this.#options.cache,
      around: (change) => this.#fences.change(folder, fence, change),
    });
  }

  /** A link below the root may lead out of it: none is followed. */
  async #refuseLinks(parts: readonly string[]): Promise<void> {
    for (let length = 1; length <= parts.length; length++) {
      const found = await lstat(join(this.#root, ...parts.slice(0, length))).catch(() => undefined);
      if (!found) return;
      if (found.isSymbolicLink()) throw new Refusal(403, "The run store follows no links.");
    }
  }
}

/** The run and the file that a path names, each in plain parts. */
function placeOf(path: string): { readonly run: readonly string[]; readonly file: readonly string[] } {
  const slash = path.indexOf("/");
  const run = slash < 0 ? undefined : plainParts(decoded(path.slice(0, slash)));
  const rest = path.slice(slash + 1);
  const file = rest === "" ? [] : plainParts(rest.split("/").map(decoded).join("/"));
  if (!run || !file) throw new Refusal(400, "Expected RUN/ or RUN/PATH, with plain names.");
  return { run, file };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return ""; // no plain name
  }
}

function fenceOf({ headers }: IncomingMessage): Fence | undefined {
  const text = headers[FENCE_HEADER];
  if (text === undefined) return undefined;
  const fence = parseFence(String(text));
  if (fence) return fence;
  throw new Refusal(400, `Expected "NUMBER of OWNER" in ${FENCE_HEADER}.`);
}

/** Of the open file, whatever is at its path by now. */
async function sumOf(handle: Awaited<ReturnType<typeof open>>, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const block = Buffer.allocUnsafe(1 << 20);
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await handle.read(block, 0, Math.min(block.byteLength, bytes - at), at);
    if (bytesRead === 0) break;
    hash.update(block.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}

/** Says why, and lets the rest of the request run dry, so that the client gets to read it. */
function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const status = error instanceof Refusal ? error.status : statusOf(error);
  const known = error instanceof GmcError ? encodeError(error) : { message: (error as Error).message, details: {} };
  const { message, details } = known;
  const shown = error instanceof Refusal || error instanceof GmcError ? message : "The run store failed; see its log.";
  sendText(response, status, JSON.stringify({ error: { message: shown, details } }), "application/json");
  request.resume();
}

const statusOf = (error: unknown): number =>
  error instanceof StaleGenerationError ? 409 : error instanceof GmcError ? 422 : 500;

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
