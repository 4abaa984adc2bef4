import type { RedisChannel } from "./channel.ts";
import type { Script } from "./connection.ts";

/** Where a value goes, and the keys that keep it in order. */
export interface FencedValue {
  readonly fence: string;
  readonly generation: string;
  /** Name of the value, as readers know it. */
  readonly name: string;
  readonly key: string;
  /** Where the payload waits for the fence; of this writer alone until the write is answered. */
  readonly stage: string;
  /** Set of the names of values that go together. */
  readonly values: string;
  readonly registry: string;
  /** Stream that announces it. */
  readonly door: string;
  /** The value outlives its last write by so long at most: a guard against leaks. */
  readonly guardMs: number;
}

/** A staged payload outlives its writer by so long. */
const STAGE_MS = 60_000;
const ATTEMPTS = 3;

/**
 * Writes a value if the generation is the current one, and announces it. A payload does not pass through Lua, where it
 * costs 1.4 core-ms a MB: it is set under a name of the writer's and renamed by the script that looks at the fence
 * (0.2 core-ms a MB; docs/0001-own-channel-for-bulk-data.md). Both commands leave together, and may run twice.
 *
 * @param payload  its pieces, sent from where they are: they must not change before this settles
 * @param owner    of the payload's memory, for `RedisChannel.detach`
 * @returns  "refused" when another generation is current, or none
 */
export async function writeFenced(
  channel: RedisChannel,
  { fence, generation, name, key, stage, values, registry, door, guardMs }: FencedValue,
  payload: readonly Uint8Array[],
  owner: object = channel,
): Promise<"written" | "refused"> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const staged = channel.send(["SET", stage, payload, "PX", STAGE_MS], { owner });
    const keys = [fence, stage, key, values, registry, door];
    const [, answer] = await Promise.all([staged, channel.evaluate(PUBLISH, keys, [generation, guardMs, name])]);
    if (answer === 1) return "written";
    if (answer === 0) return "refused";
    // The stage ran out before the script came, for instance while this process was stopped: once more.
  }
  throw new Error(`Redis lost the value ${key} ${ATTEMPTS} times before it was published.`);
}

// Times to live are renewed with the first value of a scope, not with each: a step has hundreds.
const PUBLISH: Script = {
  name: "publish-value",
  lua: `
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  redis.call('UNLINK', KEYS[2])
  return 0
end
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[3])
elseif redis.call('EXISTS', KEYS[3]) == 0 then return -1 end
redis.call('PEXPIRE', KEYS[3], ARGV[2])
redis.call('SADD', KEYS[4], KEYS[3])
redis.call('XADD', KEYS[6], 'MAXLEN', '~', 8192, '*', 'n', ARGV[3])
if redis.call('SADD', KEYS[5], 's:' .. KEYS[4], 'k:' .. KEYS[6], 'k:' .. KEYS[2]) > 0 then
  redis.call('PEXPIRE', KEYS[4], ARGV[2])
  redis.call('PEXPIRE', KEYS[5], ARGV[2] * 24)
  redis.call('PEXPIRE', KEYS[1], ARGV[2] * 24)
  redis.call('PEXPIRE', KEYS[6], ARGV[2])
end
return 1
`,
};
