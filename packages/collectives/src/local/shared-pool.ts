/** Shared buffers, kept by size and used again: a step needs the same ones as the step before. */
export class SharedPool {
  readonly #free = new Map<number, SharedArrayBuffer[]>();

  /** Room for `length` float32, with any content. */
  acquire(length: number): SharedArrayBuffer {
    const sizeBytes = Math.max(4, length * 4);
    return this.#free.get(sizeBytes)?.pop() ?? new SharedArrayBuffer(sizeBytes);
  }

  release(buffer: SharedArrayBuffer): void {
    const list = this.#free.get(buffer.byteLength) ?? [];
    list.push(buffer);
    this.#free.set(buffer.byteLength, list);
  }
}
