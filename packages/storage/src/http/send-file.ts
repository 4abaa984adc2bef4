import type { FileHandle } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** An open file and what a client is told of it. */
export interface ServedFile {
  readonly handle: FileHandle;
  readonly bytes: number;
  /** Stands for the content: equal tags are equal bytes. Without quotes. */
  readonly tag: string;
  readonly type: string;
}

const BLOCK_BYTES = 256 << 10;
const CLIENT_GONE = new Set(["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "EPIPE"]);

/**
 * Answers GET or HEAD with a file: the whole, or the one range asked for (several: the whole), 304 where the client has
 * it, 416 beyond its end. Settles when all is sent or the client is gone; the handle stays open.
 */
export async function sendFile(request: IncomingMessage, response: ServerResponse, file: ServedFile): Promise<void> {
  const { bytes, tag, type } = file;
  const etag = `"${tag}"`;
  response.setHeader("etag", etag);
  response.setHeader("accept-ranges", "bytes");
  response.setHeader("cache-control", "no-cache");
  if (names(request.headers["if-none-match"], etag)) return end(response, 304);
  const range = rangeOf(request, etag, bytes);
  if (range === "unsatisfiable") {
    response.setHeader("content-range", `bytes */${bytes}`);
    return end(response, 416);
  }
  const { start, end: stop } = range ?? { start: 0, end: bytes };
  response.setHeader("content-type", type);
  response.setHeader("content-length", stop - start);
  if (range) response.setHeader("content-range", `bytes ${start}-${stop - 1}/${bytes}`);
  response.statusCode = range ? 206 : 200;
  if (request.method === "HEAD") return end(response);
  await pipeline(Readable.from(blocks(file.handle, start, stop)), response).catch((error: unknown) => {
    response.destroy(); // cut short, so that nobody takes it for the whole
    if (!CLIENT_GONE.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
  });
}

/** A short answer in words. */
export function sendText(response: ServerResponse, status: number, text: string, type = "text/plain"): void {
  response.setHeader("content-type", `${type}; charset=utf-8`);
  response.setHeader("content-length", Buffer.byteLength(text));
  end(response, status, text);
}

function end(response: ServerResponse, status?: number, text?: string): void {
  if (status !== undefined) response.statusCode = status;
  response.end(response.req.method === "HEAD" ? undefined : text);
}

async function* blocks(handle: FileHandle, start: number, stop: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < stop; ) {
    const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, stop - at));
    const { bytesRead } = await handle.read(block, 0, block.byteLength, at);
    if (bytesRead === 0) throw new Error("the file was cut short while it was sent");
    at += bytesRead;
    yield block.subarray(0, bytesRead);
  }
}

/** [start, end) of the range asked for; undefined: the whole file. */
function rangeOf({ headers }: IncomingMessage, etag: string, bytes: number) {
  const { range, "if-range": condition } = headers;
  if (range === undefined || (condition !== undefined && condition !== etag)) return undefined;
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  if (first === "" && last === "") return undefined; // several ranges, or another unit
  const start = first === "" ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? bytes : Math.min(bytes, Number(last) + 1);
  return start < end ? { start, end } : ("unsatisfiable" as const);
}

const names = (list: string | undefined, etag: string): boolean =>
  list !== undefined && (list.trim() === "*" || list.split(",").some((one) => one.trim() === etag));
