import type { CommandRunner, RedisConnection, Script } from "./connection.ts";

/** Which generation's writes a server takes. */
export interface FenceTarget {
  /** The key that names it. */
  readonly fence: string;
  /** Where the run's keys are listed. */
  readonly registry: string;
  /** What all keys of the run begin with. */
  readonly prefix: string;
}

/** `raised`: now, or before by the same generation. `refused`: the server knows `number` already, of another generation. */
export interface FenceOutcome {
  readonly status: "raised" | "refused";
  readonly number: number;
  readonly id: string;
}

/** The fence stands so much longer than a value after the last write. */
const FENCE_GUARDS = 24;

/**
 * Makes a server take the writes of one generation only: those of every other one are refused from here on, and its
 * readers are woken. Only the process that opened the generation may do it: a worker that did would let itself in.
 *
 * @param number   larger than that of every generation before it
 * @param guardMs  the guard of values; the fence outlives the last write by many of them
 */
export async function raiseFence(
  connection: RedisConnection,
  { fence, registry, prefix }: FenceTarget,
  generation: { readonly number: number; readonly id: string },
  guardMs: number,
): Promise<FenceOutcome> {
  const words = [generation.number, generation.id, guardMs, FENCE_GUARDS, prefix];
  const reply = (await connection.evaluate(RAISE, [fence, registry], words)) as [string, string, string];
  return { status: reply[0] === "raised" ? "raised" : "refused", number: Number(reply[1]), id: reply[2] };
}

/** The id of the generation whose writes a server takes, or null: then it takes none. */
export async function readFence(connection: CommandRunner, fence: string): Promise<string | null> {
  return (await connection.command(["HGET", fence, "id"])) as string | null;
}

/** What readers find at the door when the generation is over. */
export const OVER = "over";

const RAISE: Script = {
  name: "raise-fence",
  lua: `
local found = redis.call('HMGET', KEYS[1], 'number', 'id')
if found[1] then
  local known, proposed = tonumber(found[1]), tonumber(ARGV[1])
  if found[2] ~= ARGV[2] and known >= proposed then return {'refused', found[1], found[2]} end
end
redis.call('HSET', KEYS[1], 'number', ARGV[1], 'id', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3] * ARGV[4])
redis.call('SADD', KEYS[2], 'k:' .. KEYS[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3] * ARGV[4])
if found[2] and found[2] ~= ARGV[2] then
  local door = ARGV[5] .. found[2] .. ':door:all'
  redis.call('XADD', door, '*', 'n', '${OVER}', 'id', ARGV[2])
  redis.call('PEXPIRE', door, ARGV[3])
  redis.call('SADD', KEYS[2], 'k:' .. door)
end
return {'raised', ARGV[1], ARGV[2]}
`,
};
