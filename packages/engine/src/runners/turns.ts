/** Lets pieces of work run one at a time, in the order they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** What `work` gives, once everything that came before has settled. Work must not wait for a turn of its own. */
  take<T>(work: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/**
 * The turns of this thread's devices. A provider has one device a process and keeps books on it (buffers, recorded
 * commands) that calls from several threads would spoil: everything that touches a device waits here.
 */
export const deviceTurns = new Turns();
