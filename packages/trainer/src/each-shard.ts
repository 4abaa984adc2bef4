/**
 * What `work` gives for every shard, in shard order. Shards begin in order, at most `atOnce` are under way.
 *
 * When one fails no other begins, and those under way are awaited: nothing goes on behind the caller's back. The error is
 * the lowest shard's, the one that would have come one after another, since all below it have begun.
 */
export async function eachShard<T>(shards: number, atOnce: number, work: (shard: number) => Promise<T>): Promise<T[]> {
  const results = new Map<number, T>();
  const failures = new Map<number, unknown>();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < shards && failures.size === 0) {
      const shard = next++;
      try {
        results.set(shard, await work(shard));
      } catch (error) {
        failures.set(shard, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, shards) }, lane));
  if (failures.size > 0) throw failures.get(Math.min(...failures.keys()));
  return Array.from({ length: shards }, (_, shard) => results.get(shard) as T);
}
