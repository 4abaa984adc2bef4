import { DataError } from "@gmc/core";
import { cancelled } from "../cancelled.ts";
import type { TransferOptions } from "./fetch-file.ts";
import { unreachable } from "./fetch-file.ts";
import { request, textOf } from "./request.ts";
import { expectStatus, retrying, StatusError } from "./retry.ts";

export interface FetchTextOptions extends Omit<TransferOptions, "pieceBytes" | "silentMs"> {
  /** Default 64 MiB. */
  readonly maxBytes?: number | undefined;
}

/**
 * A small text by URL; undefined where the server has none (404, 410).
 *
 * @throws {DataError} when it cannot be reached or answers otherwise; `details.url` names it
 * @throws {CancelledError} when the signal fires
 */
export async function fetchText(url: URL, options: FetchTextOptions = {}): Promise<string | undefined> {
  const { signal, idleMs, maxBytes = 64 << 20 } = options;
  try {
    return await retrying(async () => {
      const answer = await request(url, { signal, idleMs, headers: { "accept-encoding": "identity" } });
      return textOf(expectStatus(answer, 200), maxBytes, signal);
    }, options);
  } catch (error) {
    if (signal?.aborted) throw cancelled(signal);
    if (error instanceof StatusError && (error.status === 404 || error.status === 410)) return undefined;
    if (error instanceof RangeError) throw new DataError(`${url.href} gives ${error.message}.`, { url: url.href });
    throw unreachable(url, error);
  }
}
