import { CHUNK_SITES } from "./ray-plan.ts";

/** Chunks that are looked at or passed over together before one is looked at; the kernel is compiled for this number. */
export const BLOCK_CHUNKS = 8;

/**
 * The order in which the kernel visits chunks from one site, as its records (wat/alignment.mjs): nearest block first and
 * in it nearest chunk first.
 *
 * @param near  [chunks] largest 1/‖y-x‖² of each chunk
 */
export function chunkOrder(near: Float64Array): { blocks: Float64Array; chunks: Float64Array } {
  const count = Math.ceil(near.length / BLOCK_CHUNKS);
  const blocks = new Float64Array(count * 2);
  const chunks = new Float64Array(count * BLOCK_CHUNKS * 2);
  const blockOffsets = new Uint32Array(blocks.buffer);
  const chunkOffsets = new Uint32Array(chunks.buffer);
  const nearOf = (chunk: number) => near[chunk] ?? 0;
  const nearest = new Float64Array(count);
  near.forEach((value, chunk) => {
    const block = Math.floor(chunk / BLOCK_CHUNKS);
    nearest[block] = Math.max(nearest[block] ?? 0, value);
  });
  const members = new Uint32Array(BLOCK_CHUNKS);
  descending(nearest).forEach((block, place) => {
    blocks[place * 2] = nearest[block] ?? 0;
    blockOffsets[place * 4 + 2] = block * 16;
    for (let i = 0; i < BLOCK_CHUNKS; i++) members[i] = block * BLOCK_CHUNKS + i;
    members.sort((a, b) => nearOf(b) - nearOf(a) || a - b);
    members.forEach((chunk, i) => {
      const record = place * BLOCK_CHUNKS + i;
      chunks[record * 2] = nearOf(chunk);
      chunkOffsets[record * 4 + 2] = chunk * 16;
      chunkOffsets[record * 4 + 3] = chunk * CHUNK_SITES * 8;
    });
  });
  return { blocks, chunks };
}

const descending = (values: Float64Array): Uint32Array =>
  Uint32Array.from(values, (_, i) => i).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
