/** Lets so many bytes be under way at a time; more wait their turn. One piece larger than the limit passes alone. */
export class ByteGate {
  readonly #limit: number;
  readonly #waiting: { readonly bytes: number; readonly enter: () => void }[] = [];
  #inside = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  async enter(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) this.#inside += bytes;
    else await new Promise<void>((enter) => this.#waiting.push({ bytes, enter }));
  }

  leave(bytes: number): void {
    this.#inside -= bytes;
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#inside += next.bytes;
      next.enter();
    }
  }

  #fits(bytes: number): boolean {
    return this.#inside === 0 || this.#inside + bytes <= this.#limit;
  }
}
