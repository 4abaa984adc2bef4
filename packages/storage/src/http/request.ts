import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** What a server said; the body is read, or `drop`ped, by the caller. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
}

export interface HttpRequest {
  readonly method?: "GET" | "HEAD" | "PUT" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it comes; its length stands in the header content-length. */
  readonly body?: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
  /** Longest time in which not one byte moves, to connect included. Default 30 s. */
  readonly idleMs?: number | undefined;
}

/** The connection failed or fell silent. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  /** The same request may work later; false for a certificate that is not trusted and the like. */
  readonly transient: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.transient = !PERMANENT.test(codeOf(options?.cause) ?? "");
  }
}

export const DEFAULT_IDLE_MS = 30_000;
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Certificates do not get better by waiting. */
const PERMANENT =
  /^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_INVALID|ERR_UNESCAPED)/;
/** Connections wait for the next request; waiting ones keep no process alive. */
const agents = { "http:": new HttpAgent({ keepAlive: true }), "https:": new HttpsAgent({ keepAlive: true }) };

/**
 * One request; GET and HEAD follow redirects. Ends with the answer's first line, its body still to come.
 *
 * @throws {NetworkError} when the server cannot be reached, breaks off or stays silent for `idleMs`
 * @throws the signal's reason when it fires, also while the body is read
 */
export async function request(url: URL, options: HttpRequest = {}, redirects = 0): Promise<HttpAnswer> {
  const answer = await requestOnce(url, options);
  const { location } = answer.headers;
  const { method = "GET" } = options;
  if (!REDIRECTS.has(answer.status) || location === undefined || (method !== "GET" && method !== "HEAD")) return answer;
  drop(answer);
  if (redirects >= MAX_REDIRECTS) throw new NetworkError(`${url.href} redirects more than ${MAX_REDIRECTS} times`);
  const next = new URL(location, url);
  const { authorization, ...rest } = options.headers ?? {};
  const headers = authorization !== undefined && next.origin === url.origin ? { ...rest, authorization } : rest;
  return request(next, { ...options, headers }, redirects + 1);
}

/** The body's bytes as they come. @throws {NetworkError} when it breaks off; the signal's reason when that fired */
export async function* bodyOf({ body }: HttpAnswer, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk as Uint8Array;
  } catch (cause) {
    throw failureOf(cause, signal);
  }
}

/** A body as text. @throws {RangeError} beyond `maxBytes` */
export async function textOf(answer: HttpAnswer, maxBytes: number, signal?: AbortSignal): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of bodyOf(answer, signal)) {
    bytes += part.byteLength;
    if (bytes > maxBytes) throw new RangeError(`an answer of over ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Lets a body go that nobody reads: a short one is read to its end so that the connection can be used again. */
export function drop({ body, headers }: HttpAnswer): void {
  body.on("error", () => {});
  if (Number(headers["content-length"] ?? Number.POSITIVE_INFINITY) <= 65_536) body.resume();
  else body.destroy();
}

function requestOnce(url: URL, { method = "GET", headers = {}, body, signal, idleMs }: HttpRequest) {
  const silentMs = idleMs ?? DEFAULT_IDLE_MS;
  const secure = url.protocol === "https:";
  return new Promise<HttpAnswer>((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const agent = secure ? agents["https:"] : agents["http:"];
    const outgoing = (secure ? httpsRequest : httpRequest)(url, { method, headers, agent, timeout: silentMs });
    let incoming: IncomingMessage | undefined;
    const stop = (reason: Error) => (incoming ?? outgoing).destroy(reason);
    const onAbort = () => stop(asError(signal?.reason));
    signal?.addEventListener("abort", onAbort, { once: true });
    outgoing.on("timeout", () => stop(new NetworkError(`no byte for ${silentMs} ms`)));
    outgoing.on("close", () => signal?.removeEventListener("abort", onAbort));
    outgoing.on("error", (error) => reject(failureOf(error, signal)));
    outgoing.on("response", (response) => {
      incoming = response;
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
    });
    if (!body) return outgoing.end();
    const source = { failed: undefined as { readonly error: unknown } | undefined };
    pipeline(Readable.from(noting(body, source)), outgoing).catch(() => {
      if (!source.failed) return; // the connection's failure has told already
      outgoing.destroy();
      reject(source.failed.error);
    });
  });
}

/** The same bytes; remembers a failure of the source, which is none of the connection. */
async function* noting(body: AsyncIterable<Uint8Array>, source: { failed: { readonly error: unknown } | undefined }) {
  try {
    yield* body;
  } catch (error) {
    source.failed = { error };
    throw error;
  }
}

function failureOf(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  return error instanceof NetworkError ? error : new NetworkError(reasonOf(error), { cause: error });
}

/** What went wrong, in words: an AggregateError of several addresses has no message of its own. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const first = error instanceof AggregateError ? error.errors.map(reasonOf).join(", ") : "";
  return error.message || first || codeOf(error) || error.name;
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
