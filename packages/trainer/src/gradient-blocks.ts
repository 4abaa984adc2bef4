import type { GradientBlocks, Replica } from "@gmc/core";

/** Blocks of each replica that nobody uses at present: it gives every one only once. */
const kept = new WeakMap<Replica, Float32Array[]>();

/** A replica's gradient blocks, to be given back by `close` for who trains on it next; undefined where it has none. */
export function borrowBlocks(replica: Replica): (GradientBlocks & { close(): void }) | undefined {
  const own = replica.gradientBlocks;
  if (!own) return undefined;
  const free = kept.get(replica) ?? [];
  kept.set(replica, free);
  const lent: Float32Array[] = [];
  return {
    allocate() {
      const block = free.pop() ?? own.allocate();
      lent.push(block);
      return block;
    },
    add: (sum, term) => own.add(sum, term),
    close: () => void free.push(...lent.splice(0)),
  };
}
