import { setTimeout as wait } from "node:timers/promises";
import { cancelled } from "../cancelled.ts";
import { drop, type HttpAnswer, NetworkError } from "./request.ts";

/** How long to go on with a server that does not answer as it should. */
export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** Tries in a row without progress, the first included. Default 5. */
  readonly attempts?: number | undefined;
  /** Wait before the second try; doubled each time, up to 5 s. Default 250 ms. */
  readonly backoffMs?: number | undefined;
}

/** An answer other than the one that was asked for. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly status: number;
  /** What the server asks to wait. */
  readonly retryAfterMs: number | undefined;

  constructor({ status, headers }: Pick<HttpAnswer, "status" | "headers">, text = "") {
    super(`it answers ${status}${text === "" ? "" : `: ${text}`}`);
    this.status = status;
    const seconds = Number(headers["retry-after"]);
    this.retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? 1000 * seconds : undefined;
  }
}

const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);
const MAX_BACKOFF_MS = 5000;
const MAX_RETRY_AFTER_MS = 30_000;
const DEFAULT_ATTEMPTS = 5;

/** True for failures after which the same request may work. */
export const isTransient = (error: unknown): boolean =>
  error instanceof NetworkError ? error.transient : error instanceof StatusError && TRANSIENT.has(error.status);

/** The answer when its status is one of these. @throws {StatusError} */
export function expectStatus(answer: HttpAnswer, ...expected: readonly number[]): HttpAnswer {
  if (expected.includes(answer.status)) return answer;
  drop(answer);
  throw new StatusError(answer);
}

/**
 * What `work` gives in the first try that works, with growing pauses between tries. `work` calls `progressed` when it
 * got nearer to its end, which makes the next failure count as the first.
 *
 * @throws {CancelledError} when the signal fires
 * @throws the last failure when it is none that passes, or after `attempts` without progress
 */
export async function retrying<T>(work: (progressed: () => void) => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, attempts = DEFAULT_ATTEMPTS, backoffMs = 250 } = options;
  let failures = 0;
  for (;;) {
    if (signal?.aborted) throw cancelled(signal);
    try {
      return await work(() => {
        failures = 0;
      });
    } catch (error) {
      if (signal?.aborted) throw cancelled(signal);
      failures++;
      if (!isTransient(error) || failures >= attempts) throw error;
      await pause(error, backoffMs * 2 ** (failures - 1), signal);
    }
  }
}

async function pause(error: unknown, backoffMs: number, signal: AbortSignal | undefined): Promise<void> {
  const asked = error instanceof StatusError ? (error.retryAfterMs ?? 0) : 0;
  const ms = Math.max(Math.min(backoffMs, MAX_BACKOFF_MS), Math.min(asked, MAX_RETRY_AFTER_MS));
  await wait(ms, undefined, signal ? { signal } : {}).catch(() => {}); // fired: the caller's loop sees it
}
