/** What must be closed: a pool, a file, a session. */
export interface Closable {
  close(): Promise<void> | void;
}

/** Resources opened one after another, closed in the opposite order; also when opening the next one fails. */
export class Closing {
  readonly #open: Closable[] = [];

  /** The resource itself, closed with the others from now on. */
  add<T extends Closable>(resource: T): T {
    this.#open.push(resource);
    return resource;
  }

  /** Closes all, the last first; the first error is thrown after all were closed. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const resource of this.#open.splice(0).reverse()) {
      await Promise.resolve(resource.close()).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** What `open` gives; when it throws, everything it had opened is closed. */
export async function opening<T>(open: (closing: Closing) => Promise<T>): Promise<T> {
  const closing = new Closing();
  try {
    return await open(closing);
  } catch (error) {
    await closing.close().catch(() => {}); // the first error is the cause
    throw error;
  }
}
