import { createHash } from "node:crypto";
import { type FileHandle, open, readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { DataError, type Logger, silentLogger } from "@gmc/core";
import { type HttpServer, type ListenOptions, listenHttp, type ServedFile, sendFile, sendText } from "@gmc/storage";
import { openDataset } from "../dataset.ts";
import { filesOf, type Manifest, parseManifest } from "../manifest.ts";
import { type VerifyOptions, verifyDataset } from "../verify.ts";

export interface ServeDatasetOptions extends ListenOptions, Pick<VerifyOptions, "onProgress" | "cache"> {
  /** The data set's folder. */
  readonly folder: string;
  /** Ends the verification before it begins to serve. */
  readonly signal?: AbortSignal | undefined;
  /** Gets a line for each request. Default: silent. */
  readonly logger?: Logger | undefined;
}

/** A data set that others can read by URL. */
export interface DatasetServer extends HttpServer {
  readonly manifest: Manifest;
}

/**
 * Serves a data set over HTTP until `close`: its manifest and the files that it names, nothing else, GET and HEAD with
 * ranges. The files are verified first and kept open: what is served is one state, also when the folder is replaced.
 *
 * @throws {DataError} when it is no data set, or a file has another sum than the manifest lists
 * @throws {UsageError} when the address cannot be listened on
 */
export async function serveDataset(options: ServeDatasetOptions): Promise<DatasetServer> {
  const { folder, signal, onProgress, cache, logger = silentLogger } = options;
  const dataset = await openDataset(folder);
  await verifyDataset(dataset, signal, {
    ...(onProgress && { onProgress }),
    ...(cache !== undefined && { cache }),
  }).finally(() => dataset.close());
  const { manifest, files } = await openFiles(folder);
  const close = () => Promise.all(Array.from(files.values(), ({ handle }) => handle.close()));
  try {
    const server = await listenHttp((request, response) => {
      const began = performance.now();
      response.once("close", () => logRequest(logger, request, response, performance.now() - began));
      answer(request, response, files, manifest).catch((error: unknown) => {
        logger.warn("data.serve.failed", { path: request.url, reason: String(error) });
        response.destroy();
      });
    }, options);
    return {
      ...server,
      manifest,
      async close() {
        await server.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  files: ReadonlyMap<string, ServedFile>,
  manifest: Manifest,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return sendText(response, 405, "Only GET and HEAD.\n");
  }
  const path = pathOf(request);
  if (path === "") return sendText(response, 200, welcome(manifest));
  const file = files.get(path ?? "");
  if (!file) return sendText(response, 404, "The data set has no such file; manifest.json names those it has.\n");
  return sendFile(request, response, file);
}

/** The file asked for, as the manifest writes it; undefined for what cannot be one. */
function pathOf({ url = "/" }: IncomingMessage): string | undefined {
  try {
    return decodeURIComponent(new URL(url, "http://host").pathname).slice(1);
  } catch {
    return undefined;
  }
}

/** Every file that may be asked for, by its path in the manifest: what is not in here does not exist. */
async function openFiles(folder: string): Promise<{ manifest: Manifest; files: ReadonlyMap<string, ServedFile> }> {
  const files = new Map<string, ServedFile>();
  try {
    const path = join(folder, "manifest.json");
    const text = await readFile(path);
    const manifest = parseManifest(text.toString("utf8"), path);
    const tag = createHash("sha256").update(text).digest("hex");
    files.set("manifest.json", {
      handle: await open(path, "r"),
      bytes: text.byteLength,
      tag,
      type: "application/json",
    });
    for (const { path, sha256, bytes } of filesOf(manifest)) {
      const handle = await open(join(folder, path), "r");
      files.set(path, { handle, bytes, tag: sha256, type: "application/octet-stream" });
      const { size } = await handle.stat();
      if (size !== bytes) throw new DataError(`${join(folder, path)} was replaced just now; start again.`, { path });
    }
    return { manifest, files };
  } catch (error) {
    for (const { handle } of files.values()) await (handle as FileHandle).close();
    throw error;
  }
}

const welcome = ({ name, sha256, splits }: Manifest): string => `The data set "${name}" of GMC, sha256 ${sha256}
${Object.entries(splits)
  .map(([split, { samples }]) => `${split}: ${samples} samples`)
  .join("\n")}
Use this URL as data.path: gmc train CONFIG --data.path URL
`;

function logRequest(logger: Logger, request: IncomingMessage, response: ServerResponse, wallMs: number): void {
  const { method, url: path, socket } = request;
  const fields = {
    method,
    path,
    from: socket.remoteAddress,
    range: request.headers.range,
    status: response.statusCode,
  };
  logger.info("data.serve", { ...fields, wallMs: Math.round(wallMs) });
}
