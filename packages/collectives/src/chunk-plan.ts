/** One piece of a reduced vector: who sums it and which server it goes through. */
export interface Chunk {
  readonly index: number;
  readonly first: number;
  readonly count: number;
  readonly owner: number;
  readonly server: number;
}

/** Numbers below which a piece is not worth its message: 128 KiB of float32 (docs/0004-scaling.md). */
const SMALLEST = 32_768;
/** Pieces begin on whole cache lines. */
const ALIGNMENT = 16;

/**
 * Cuts a vector into pieces of about `chunkLength` numbers, as many for each rank where there are enough of them; the
 * hash of the tag turns who begins, so that small vectors do not all go to rank 0 and server 0. The bits of a sum do
 * not depend on it.
 */
export function chunkPlan(
  tag: string,
  length: number,
  chunkLength: number,
  ranks: number,
  servers: number,
): readonly Chunk[] {
  if (length === 0) return [];
  const wanted = Math.max(Math.ceil(length / chunkLength), Math.min(ranks, Math.ceil(length / SMALLEST)));
  const even = wanted > ranks ? Math.ceil(wanted / ranks) * ranks : wanted;
  const size = Math.ceil(length / even / ALIGNMENT) * ALIGNMENT;
  const turn = hashOf(tag);
  return Array.from({ length: Math.ceil(length / size) }, (_, index) => ({
    index,
    first: index * size,
    count: Math.min(size, length - index * size),
    owner: (turn + index) % ranks,
    server: (turn + index) % servers,
  }));
}

/** FNV-1a of a text, 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
