import { setTimeout as delay } from "node:timers/promises";
import { EnvironmentError } from "@gmc/core";

/** Something that runs until it is closed, or until it dies. */
export interface Part {
  /** Settles with its last words once it is over, whoever ended it. */
  readonly ended: Promise<string>;
  close(): Promise<void>;
}

/** A part that is started again when it dies. */
export interface Kept {
  /** Rejects when it is given up; never resolves. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

export interface KeepOptions {
  /** Told of every death. */
  readonly onDeath?: (words: string) => void;
  /** Deaths in a row, each sooner than `steadyMs` after its start, after which it is given up. Default 5. */
  readonly attempts?: number;
  /** Default 10 s. */
  readonly steadyMs?: number;
  /** Wait before it is started again, doubled with every death in a row. Default 200 ms. */
  readonly pauseMs?: number;
}

/**
 * Keeps a part running that has been started.
 *
 * @param name   for the error
 * @param again  starts it once more
 */
export function keepRunning(
  name: string,
  first: Part,
  again: () => Promise<Part>,
  { onDeath, attempts = 5, steadyMs = 10_000, pauseMs = 200 }: KeepOptions = {},
): Kept {
  const closing = new AbortController();
  const { signal } = closing;
  let current = first;
  const watching = watch();
  const failed = new Promise<never>((_, reject) => watching.catch(reject));
  failed.catch(() => {}); // whoever waits for it hears of it
  return {
    failed,
    async close() {
      closing.abort();
      await current.close();
      await watching.catch(() => {});
    },
  };

  async function watch(): Promise<void> {
    for (let [quick, startedAt] = [0, performance.now()]; ; startedAt = performance.now()) {
      const words = await current.ended;
      if (signal.aborted) return;
      onDeath?.(words);
      quick = performance.now() - startedAt < steadyMs ? quick + 1 : 1;
      if (quick >= attempts) throw givenUp(name, quick, words);
      await delay(pauseMs * 2 ** (quick - 1), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      current = await again().catch(unborn);
      if (signal.aborted) return current.close();
    }
  }
}

/** Stands for a part that did not start: one more death. */
const unborn = (error: Error): Part => ({ ended: Promise.resolve(error.message), close: async () => {} });

const givenUp = (name: string, deaths: number, words: string): EnvironmentError =>
  new EnvironmentError(`${name} died ${deaths} times in a row: ${words}`, { name, deaths, words });
