import { type RandomKey, threefry } from "@gmc/core";

/**
 * A fast sequence of random numbers for one sample: 32-bit integer arithmetic only, so the same on every platform.
 *
 * Generator: sfc32, from Chris Doty-Humphrey's PractRand; started from a counter-based key.
 */
export class RandomStream {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param key  different keys give unrelated sequences */
  constructor(key: RandomKey) {
    [this.#a, this.#b] = threefry(key, 0, 0);
    [this.#c] = threefry(key, 1, 0);
    for (let i = 0; i < 12; i++) this.uniform(); // mixes the start
  }

  /** In [0, 1), 32 random bits. */
  uniform(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  }

  /** In [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** In 0 … bound - 1. */
  integer(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** Close to normal with mean 0 and standard deviation 1: a sum of four uniform numbers, never beyond ±3.5. */
  normal(): number {
    const sum = this.uniform() + this.uniform() + this.uniform() + this.uniform();
    return (sum - 2) * 1.7320508075688772;
  }
}
