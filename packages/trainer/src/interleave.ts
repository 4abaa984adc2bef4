/**
 * Puts the shards' blocks side by side along the second axis: V blocks [R, w] become [R, V·w]. Of z, R is M + 1 and w is
 * b·d; of the normalisers, R is K and w is b. One block alone is given back as it is.
 *
 * @param blocks   V blocks of one length, in shard order
 * @param sets     R
 * @param out      [R·V·w] written when V > 1
 */
export function interleave(blocks: readonly Float32Array[], sets: number, out: Float32Array): Float32Array {
  const [only] = blocks;
  if (blocks.length === 1 && only) return only;
  for (const [v, block] of blocks.entries()) {
    const width = block.length / sets;
    for (let r = 0; r < sets; r++) {
      out.set(block.subarray(r * width, (r + 1) * width), (r * blocks.length + v) * width);
    }
  }
  return out;
}
