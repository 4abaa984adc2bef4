/**
 * Buffers for messages, kept and used again, so that a step allocates nothing: 11.5 MB of fresh pages a step would cost
 * more than summing them. Sizes are rounded up to a power of two.
 */
export class BufferPool {
  readonly #free = new Map<number, ArrayBuffer[]>();
  readonly #keepBytes: number;
  #keptBytes = 0;

  /** @param keepBytes  what is kept at most; more is left to the collector */
  constructor(keepBytes: number) {
    this.#keepBytes = keepBytes;
  }

  /** Exactly so many bytes, with any content, that begin on an aligned address. */
  acquire(sizeBytes: number): Uint8Array {
    const size = 2 ** Math.ceil(Math.log2(Math.max(sizeBytes, SMALLEST)));
    const kept = this.#free.get(size)?.pop();
    if (kept) this.#keptBytes -= size;
    return new Uint8Array(kept ?? new ArrayBuffer(size), 0, sizeBytes);
  }

  /** Gives back what `acquire` gave; nobody may use it any more. */
  release(bytes: Uint8Array): void {
    const { buffer } = bytes;
    if (!(buffer instanceof ArrayBuffer) || this.#keptBytes + buffer.byteLength > this.#keepBytes) return;
    const list = this.#free.get(buffer.byteLength) ?? [];
    list.push(buffer);
    this.#free.set(buffer.byteLength, list);
    this.#keptBytes += buffer.byteLength;
  }
}

const SMALLEST = 1024;
