/**
 * Sum of same-length vectors in the project's one binary tree: [0, n) splits at the largest power of two below n.
 * Whoever owns a whole subtree may add it up alone; the bits are those of the full tree.
 *
 * @param vectors  V blocks in shard order, all of length L; not written
 * @param out      [L] receives the sum; may be one of the blocks
 * @returns        `out`
 */
export function treeSum(vectors: readonly Float32Array[], out: Float32Array): Float32Array {
  const sum = sumRange(vectors, 0, vectors.length);
  if (sum !== out) out.set(sum);
  return out;
}

/** Where the tree splits [0, n): the largest power of two below n. @throws {RangeError} for n < 2 */
export function treeSplit(n: number): number {
  if (n < 2) throw new RangeError(`treeSplit: a tree of ${n} leaves has no split`);
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}

/** sum += term, each element rounded to float32; four at a time takes a third less. */
export function addInto(sum: Float32Array, term: Float32Array): void {
  const whole = sum.length - (sum.length % 4);
  for (let i = 0; i < whole; i += 4) {
    const a = (sum[i] ?? 0) + (term[i] ?? 0);
    const b = (sum[i + 1] ?? 0) + (term[i + 1] ?? 0);
    const c = (sum[i + 2] ?? 0) + (term[i + 2] ?? 0);
    const d = (sum[i + 3] ?? 0) + (term[i + 3] ?? 0);
    sum[i] = a;
    sum[i + 1] = b;
    sum[i + 2] = c;
    sum[i + 3] = d;
  }
  for (let i = whole; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (term[i] ?? 0);
}

/** Sum of one scalar a shard, in the same tree; float64 arithmetic. 0 for no shards. */
export function treeSumScalars(values: readonly number[]): number {
  if (values.length < 2) return values[0] ?? 0;
  const split = treeSplit(values.length);
  return treeSumScalars(values.slice(0, split)) + treeSumScalars(values.slice(split));
}

function sumRange(vectors: readonly Float32Array[], start: number, end: number): Float32Array {
  if (end - start === 1) return vectors[start] ?? new Float32Array(0);
  const middle = start + treeSplit(end - start);
  const left = sumRange(vectors, start, middle);
  const right = sumRange(vectors, middle, end);
  const sum = new Float32Array(left.length);
  for (let i = 0; i < sum.length; i++) sum[i] = (left[i] ?? 0) + (right[i] ?? 0); // rounds to float32 at every node
  return sum;
}
