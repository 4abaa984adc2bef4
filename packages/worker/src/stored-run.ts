import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@gmc/core";
import { encodeError } from "@gmc/core";
import { pullRun, pushRun } from "@gmc/storage";

/** Where runs are kept by machines that share no directory: what `serveRuns` serves. */
export interface RunStore {
  readonly url: string;
  readonly token: string;
  /** Where this worker has its copies while it works on them; default ".gmc/runs" in the working folder. */
  readonly folder?: string;
}

export interface StoredRunOptions {
  readonly store: RunStore;
  /** The run's name in the store: its `out`. */
  readonly name: string;
  /** Id of the run, and number of the generation: later ones win. */
  readonly run: string;
  readonly generation: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** The first rank's copy of a run that is kept in a store. */
export class StoredRun {
  readonly folder: string;
  readonly #options: StoredRunOptions;
  #pushing: Promise<void> | undefined;
  #again = false;

  constructor(options: StoredRunOptions) {
    const { store, run } = options;
    this.#options = options;
    this.folder = join(store.folder ?? join(".gmc", "runs"), run);
  }

  /**
   * Brings what the store has.
   *
   * @param claims  from here on only this generation writes there
   */
  async pull(claims: boolean): Promise<void> {
    const { store, name } = this.#options;
    await pullRun(store.url, name, this.folder, this.#access(claims));
  }

  /** Sends what has changed, in the background. A store that is away is tried again with the next call. */
  push(): void {
    if (this.#pushing) {
      this.#again = true;
      return;
    }
    this.#pushing = this.send()
      .catch((error: unknown) => this.#options.logger.warn("worker.push", { ...encodeError(error) }))
      .finally(() => {
        this.#pushing = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.push();
      });
  }

  /** Sends what is left, and removes the copy. @throws when the store does not take it */
  async finish(): Promise<void> {
    this.#again = false;
    await this.#pushing;
    await this.send();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Sends what has changed. */
  async send(): Promise<void> {
    const { store, name } = this.#options;
    await pushRun(this.folder, store.url, name, this.#access(true));
  }

  #access(fenced: boolean) {
    const { store, run, generation, signal } = this.#options;
    return { token: store.token, signal, ...(fenced && { fence: { owner: run, number: generation } }) };
  }
}
