/** Lets a loop sleep until it is time, or somebody has something for it. */
export class Wake {
  #woken = false;
  #resume: (() => void) | undefined;

  /** Ends the wait under way, or the next one at once. */
  wake(): void {
    this.#woken = true;
    this.#resume?.();
  }

  /** Resolves after `ms`, or when woken, or when `signal` fires. */
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (!this.#woken && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", end);
          resolve();
        };
        const timer = setTimeout(end, ms);
        this.#resume = end;
        signal?.addEventListener("abort", end, { once: true });
      });
    }
    this.#woken = false;
    this.#resume = undefined;
  }
}
