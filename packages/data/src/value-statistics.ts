import type { ModalityStatistics } from "./manifest.ts";

/** Mean, standard deviation and range of numbers as they come by, in float64 and in the order given. */
export class ValueStatistics {
  #count = 0;
  #shift = 0; // sums are taken about the first number, so that a large mean costs no digits
  #sum = 0;
  #squares = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  /** Index of the first number that is not finite, or -1; the numbers before and after it are counted either way. */
  add(numbers: ArrayLike<number>): number {
    if (this.#count === 0) this.#shift = numbers[0] ?? 0;
    const shift = this.#shift;
    let sum = 0;
    let squares = 0;
    let min = this.#min;
    let max = this.#max;
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i] ?? 0;
      const distance = number - shift;
      sum += distance;
      squares += distance * distance;
      if (number < min) min = number;
      if (number > max) max = number;
    }
    this.#count += numbers.length;
    this.#sum += sum;
    this.#squares += squares;
    this.#min = min;
    this.#max = max;
    return Number.isFinite(sum) ? -1 : firstNonFinite(numbers);
  }

  /** Of the values number·scale + offset. @throws {RangeError} when nothing was added */
  result(scale = 1, offset = 0): ModalityStatistics {
    if (this.#count === 0) throw new RangeError("ValueStatistics: no numbers were added");
    const mean = this.#sum / this.#count;
    const variance = Math.max(0, this.#squares / this.#count - mean * mean);
    const ends = [this.#min * scale + offset, this.#max * scale + offset];
    return {
      mean: (mean + this.#shift) * scale + offset,
      std: Math.sqrt(variance) * Math.abs(scale),
      min: Math.min(...ends),
      max: Math.max(...ends),
    };
  }
}

function firstNonFinite(numbers: ArrayLike<number>): number {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return i;
  return -1;
}
