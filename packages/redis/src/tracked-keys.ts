import type { CommandRunner, RedisConnection, Script } from "./connection.ts";

/** The values that go together once every rank is done with them. */
export interface ReleaseTarget {
  readonly fence: string;
  readonly generation: string;
  readonly registry: string;
  readonly values: string;
  readonly released: string;
}

/**
 * Says that `rank` needs none of these values any more; the last of `ranks` takes them away. May be said twice.
 *
 * @returns  "refused" when another generation is current, or none: then nothing was touched
 */
export async function releaseValues(
  connection: CommandRunner,
  { fence, generation, registry, values, released }: ReleaseTarget,
  rank: number,
  ranks: number,
  guardMs: number,
): Promise<"released" | "refused"> {
  const answer = await connection.evaluate(
    RELEASE,
    [fence, registry, values, released],
    [generation, rank, ranks, guardMs],
  );
  return Number(answer) === 0 ? "refused" : "released";
}

/** Keys that one call of a script removes at most, so that the server answers others in between. */
const BATCH = 256;

/**
 * Takes away every key that the registry names and that begins with `prefix` (all values of a generation, say), and the
 * registry itself once it is empty. No other key of the server is looked at.
 *
 * @returns  keys that were there
 */
export async function deleteTracked(connection: RedisConnection, registry: string, prefix: string): Promise<number> {
  let removed = 0;
  for (;;) {
    const [count, more] = (await connection.evaluate(DELETE, [registry], [prefix, BATCH])) as [number, number];
    removed += Number(count);
    if (Number(more) === 0) return removed;
  }
}

/** Lists a key, so that it goes with the run. */
export async function trackKey(connection: RedisConnection, registry: string, key: string): Promise<void> {
  await connection.command(["SADD", registry, `k:${key}`]);
}

const RELEASE: Script = {
  name: "release-values",
  lua: `
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[3]) == 0 then return 1 end
redis.call('SADD', KEYS[4], ARGV[2])
redis.call('PEXPIRE', KEYS[4], ARGV[4])
redis.call('SADD', KEYS[2], 'k:' .. KEYS[4])
if redis.call('SCARD', KEYS[4]) < tonumber(ARGV[3]) then return 1 end
local names = redis.call('SMEMBERS', KEYS[3])
for i = 1, #names, 1000 do redis.call('UNLINK', unpack(names, i, math.min(i + 999, #names))) end
redis.call('UNLINK', KEYS[3], KEYS[4])
redis.call('SREM', KEYS[2], 's:' .. KEYS[3], 'k:' .. KEYS[4])
return 1
`,
};

const DELETE: Script = {
  name: "delete-tracked",
  lua: `
local prefix, batch, removed = ARGV[1], tonumber(ARGV[2]), 0
local entries = redis.call('SMEMBERS', KEYS[1])
for _, entry in ipairs(entries) do
  local key = string.sub(entry, 3)
  if string.sub(key, 1, #prefix) == prefix then
    if removed >= batch then return {removed, 1} end
    if string.sub(entry, 1, 2) == 's:' then
      local names = redis.call('SPOP', key, batch)
      for _, name in ipairs(names) do removed = removed + redis.call('UNLINK', name) end
      if redis.call('EXISTS', key) == 1 then return {removed, 1} end
    else
      removed = removed + redis.call('UNLINK', key)
    end
    redis.call('SREM', KEYS[1], entry)
  end
end
return {removed, 0}
`,
};
