/** The calls of one replica: none begins once it closes, and closing waits for those under way. */
export class CallsUnderWay {
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  /** @throws {TypeError} after `close` */
  checkOpen(what: string): void {
    if (this.#closing) throw new TypeError(`Replica: ${what} was called after close().`);
  }

  /** Runs `work`. @throws {TypeError} after `close` */
  async track<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.checkOpen(what);
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Releases once nothing runs any more; the first call counts. */
  close(release: () => Promise<void> | void): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#running).then(release);
    return this.#closing;
  }
}
