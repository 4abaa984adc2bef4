import { createHash } from "node:crypto";

/**
 * Counter-based random numbers: a value is a pure function of (key, index), so nothing depends on the order of calls,
 * on the number of workers or on what was drawn before.
 *
 * Generator: Threefry-2x32 with 20 rounds, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
 */
export interface RandomKey {
  readonly k0: number;
  readonly k1: number;
}

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;
const rotateLeft = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

/** The two 32-bit words that Threefry gives for a key and a 64-bit counter (`high`, `low`). */
export function threefry({ k0, k1 }: RandomKey, low: number, high: number): [number, number] {
  const keys = [k0, k1, PARITY ^ k0 ^ k1] as const;
  let x0 = (low + k0) | 0;
  let x1 = (high + k1) | 0;
  for (let block = 0; block < 5; block++) {
    for (let round = 0; round < 4; round++) {
      x0 = (x0 + x1) | 0;
      x1 = rotateLeft(x1, ROTATIONS[(block % 2) * 4 + round] ?? 0) ^ x0;
    }
    x0 = (x0 + (keys[(block + 1) % 3] ?? 0)) | 0;
    x1 = (x1 + (keys[(block + 2) % 3] ?? 0) + block + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/**
 * The key of one purpose, for instance `randomKey(seed, "mask/head.0", step)`.
 *
 * @param seed      the run's seed, an integer from 0 to 2^53 - 1
 * @param purpose   what is drawn; different purposes never share numbers
 * @param counters  further coordinates (global step, epoch), integers from 0 to 2^53 - 1
 * @throws {RangeError} when the seed or a counter is not such an integer
 */
export function randomKey(seed: number, purpose: string, ...counters: readonly number[]): RandomKey {
  const digest = createHash("sha256").update(purpose).digest();
  let key: RandomKey = { k0: digest.readUInt32LE(0), k1: digest.readUInt32LE(4) };
  for (const counter of [seed, ...counters]) {
    if (!Number.isSafeInteger(counter) || counter < 0) {
      throw new RangeError(`randomKey: seed and counters are integers from 0 to 2^53 - 1, received ${counter}`);
    }
    const [k0, k1] = threefry(key, counter >>> 0, Math.floor(counter / 2 ** 32));
    key = { k0, k1 };
  }
  return key;
}

/** Uniform number in [0, 1) with 53 random bits. */
export function uniformAt(key: RandomKey, index: number): number {
  const [low, high] = threefry(key, index >>> 0, Math.floor(index / 2 ** 32));
  return ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
}

/** Standard normal number (Box-Muller, one a counter). */
export function normalAt(key: RandomKey, index: number): number {
  const [low, high] = threefry(key, index >>> 0, Math.floor(index / 2 ** 32));
  const radius = Math.sqrt(-2 * Math.log((low + 1) / 4294967296)); // (0, 1]: never log(0)
  return radius * Math.cos((2 * Math.PI * high) / 4294967296);
}

/** Uniform integer in [0, bound). Bias below bound / 2^53. */
export const integerAt = (key: RandomKey, index: number, bound: number): number =>
  Math.floor(uniformAt(key, index) * bound);

/** Random order of 0 … length - 1 (Fisher-Yates). */
export function permutation(key: RandomKey, length: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = integerAt(key, i, i + 1);
    const swapped = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = swapped;
  }
  return order;
}
