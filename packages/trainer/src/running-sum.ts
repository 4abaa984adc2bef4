/**
 * Sums vectors that arrive in shard order, with the bits of core's `treeSum`, in log2(V) + 1 buffers: two neighbouring
 * sums of as many shards merge as soon as they are there, so what waits has sizes of falling powers of two, which is how
 * the tree splits any number of shards. One shard alone is never copied.
 */
export interface RunningSum {
  /** [length] buffer to write the next shard's vector into. */
  next(): Float32Array;
  /** Takes what was written into the buffer of the last `next` as the following shard's vector. */
  add(): void;
  /** [length] sum of all that was added, valid until the next `next`; then it starts anew. */
  finish(): Float32Array;
  /** Forgets what a failed step has added. */
  clear(): void;
}

/**
 * A running sum of vectors of this length; its buffers are kept from sum to sum.
 *
 * @param first  buffer for the first shard's vector, and so for the sum
 */
export function runningSum(length: number, first?: Float32Array): RunningSum {
  const free: Float32Array[] = first ? [first] : [];
  const waiting: { readonly shards: number; readonly sum: Float32Array }[] = [];
  let open: Float32Array | undefined;

  const mergeLastTwo = (): void => {
    const right = waiting.pop();
    const left = waiting.pop();
    if (!right || !left) return;
    addInto(left.sum, right.sum);
    free.push(right.sum);
    waiting.push({ shards: left.shards + right.shards, sum: left.sum });
  };
  return {
    next() {
      open ??= free.pop() ?? new Float32Array(length);
      return open;
    },
    add() {
      if (!open) throw new Error("RunningSum.add: call next() first and write the vector into its buffer");
      waiting.push({ shards: 1, sum: open });
      open = undefined;
      while (waiting.length > 1 && waiting.at(-1)?.shards === waiting.at(-2)?.shards) mergeLastTwo();
    },
    finish() {
      while (waiting.length > 1) mergeLastTwo();
      const sum = waiting.pop()?.sum;
      if (!sum) throw new Error("RunningSum.finish: nothing was added");
      free.push(sum);
      return sum;
    },
    clear() {
      free.push(...waiting.splice(0).map((part) => part.sum));
    },
  };
}

/** left += right, each element rounded to float32; four at a time takes a third less. */
function addInto(left: Float32Array, right: Float32Array): void {
  const whole = left.length - (left.length % 4);
  for (let i = 0; i < whole; i += 4) {
    const a = (left[i] ?? 0) + (right[i] ?? 0);
    const b = (left[i + 1] ?? 0) + (right[i + 1] ?? 0);
    const c = (left[i + 2] ?? 0) + (right[i + 2] ?? 0);
    const d = (left[i + 3] ?? 0) + (right[i + 3] ?? 0);
    left[i] = a;
    left[i + 1] = b;
    left[i + 2] = c;
    left[i + 3] = d;
  }
  for (let i = whole; i < left.length; i++) left[i] = (left[i] ?? 0) + (right[i] ?? 0);
}
