import { EnvironmentError, StaleGenerationError, UsageError } from "@gmc/core";
import { z } from "zod";
import type { TransferOptions } from "../http/fetch-file.ts";
import {
  bodyOf,
  drop,
  type HttpAnswer,
  type HttpRequest,
  NetworkError,
  reasonOf,
  request,
  textOf,
} from "../http/request.ts";
import { retrying, StatusError } from "../http/retry.ts";
import { type Fence, fenceText } from "./fences.ts";
import { ChangedError, type FileStore, plainParts, type StoredFile } from "./file-store.ts";

/** How to speak to a run store. */
export interface RunStoreAccess {
  /** What the server was started with. */
  readonly token: string;
  /**
   * Which generation of which training speaks. The server refuses those that were overtaken, so that a process that slept
   * through a change of generation cannot undo what came after. Absent: unfenced, for readers.
   */
  readonly fence?: Fence | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Deadlines and retries. */
  readonly transfer?: Omit<TransferOptions, "signal" | "pieceBytes" | "silentMs"> | undefined;
}

/** Headers that only the run store knows. */
export const SUM_HEADER = "gmc-sha256";
export const FENCE_HEADER = "gmc-fence";
export const CLAIM_HEADER = "gmc-claim";

/** What a list of a run's files looks like on the wire. */
export const FileList = z.strictObject({
  files: z.array(z.strictObject({ path: z.string(), bytes: z.int().nonnegative(), sha256: z.string() })),
});
const Failure = z.object({
  error: z.object({ message: z.string(), details: z.record(z.string(), z.unknown()).default({}) }),
});

const MAX_LIST_BYTES = 16 << 20;

/**
 * The files of a run behind `serveRuns`.
 *
 * @param url  the store's URL, as the server prints it
 * @param run  the run's name below it, for instance "runs/a"
 * @param claims  with `access.fence`: takes the run over from whoever trained it before
 * @throws {UsageError} for a name or URL that cannot be one
 */
export function openRemoteStore(url: string, run: string, access: RunStoreAccess, claims = false): FileStore {
  if (!URL.canParse(url)) throw new UsageError(`"${url}" is not a URL; expected http://HOST:PORT/runs/.`, { url });
  if (!plainParts(run)) {
    throw new UsageError(`"${run}" is no run's name; expected names with slashes between, none hidden.`, { run });
  }
  const base = new URL(`${encodeURIComponent(run)}/`, url.endsWith("/") ? url : `${url}/`);
  return new RemoteStore(base, access, claims);
}

class RemoteStore implements FileStore {
  readonly #base: URL;
  readonly #access: RunStoreAccess;
  readonly #claims: boolean;

  constructor(base: URL, access: RunStoreAccess, claims: boolean) {
    this.#base = base;
    this.#claims = claims;
    this.#access = access;
  }

  async list(signal?: AbortSignal): Promise<ReadonlyMap<string, StoredFile>> {
    const { files } = await this.#ask(this.#base, { signal }, async (answer) =>
      FileList.parse(JSON.parse(await textOf(answer, MAX_LIST_BYTES, signal))),
    );
    return new Map(files.filter(({ path }) => plainParts(path)).map((file) => [file.path, file]));
  }

  async *read(file: StoredFile, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    // One try: whoever puts these bytes somewhere begins again with a new read.
    const answer = await this.#send(this.#urlOf(file.path), { signal });
    if (answer.status === 404 || (answer.status === 200 && answer.headers.etag !== `"${file.sha256}"`)) {
      drop(answer);
      throw new ChangedError(`${file.path} was replaced`);
    }
    yield* bodyOf(await this.#expect(answer, signal), signal);
  }

  async put(file: StoredFile, content: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    const headers = { "content-length": String(file.bytes), [SUM_HEADER]: file.sha256 };
    const answer = await this.#send(this.#urlOf(file.path), { method: "PUT", headers, body: content, signal });
    drop(await this.#expect(answer, signal));
  }

  async remove(path: string, signal?: AbortSignal): Promise<void> {
    await this.#ask(this.#urlOf(path), { method: "DELETE", signal }, async (answer) => drop(answer));
  }

  /** With retries: for requests without a body. */
  async #ask<T>(url: URL, options: HttpRequest, use: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    const { signal } = options;
    const work = async () => use(await this.#expect(await this.#send(url, options), signal));
    return retrying(work, { ...this.#access.transfer, signal });
  }

  #send(url: URL, options: HttpRequest): Promise<HttpAnswer> {
    const { token, fence, transfer } = this.#access;
    const claim = this.#claims ? { [CLAIM_HEADER]: "1" } : {};
    const fenced = fence === undefined ? {} : { [FENCE_HEADER]: fenceText(fence), ...claim };
    const headers = { ...options.headers, ...fenced, authorization: `Bearer ${token}` };
    return request(url, { ...options, headers, idleMs: transfer?.idleMs });
  }

  /** The answer of a request that worked. */
  async #expect(answer: HttpAnswer, signal: AbortSignal | undefined): Promise<HttpAnswer> {
    const { status } = answer;
    if (status >= 200 && status < 300) return answer;
    const text = await textOf(answer, 65_536, signal).catch(() => "");
    const failure = Failure.safeParse(parsed(text)).data?.error;
    if (status === 401) {
      throw new EnvironmentError(
        `The run store ${this.#base.origin} refuses the token; give the one it was started with.`,
        { url: this.#base.href },
      );
    }
    if (status === 409) throw new StaleGenerationError(this.#speaker(), String(failure?.details.current));
    throw new StatusError(answer, failure?.message ?? "");
  }

  #speaker(): string {
    const { fence } = this.#access;
    return fence ? fenceText(fence) : "unfenced";
  }

  #urlOf(path: string): URL {
    return new URL(path.split("/").map(encodeURIComponent).join("/"), this.#base);
  }
}

/** A failure with the store's URL; what is clear already is left alone. */
export function storeFailure(url: string, run: string, error: unknown): unknown {
  if (!(error instanceof NetworkError) && !(error instanceof StatusError)) return error;
  const message = `The run store at ${url} cannot be used for "${run}": ${reasonOf(error)}.`;
  return new EnvironmentError(message, { url, run }, { cause: error });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
