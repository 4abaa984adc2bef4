import type { RedisConnection, Script } from "./connection.ts";

/** A right that one owner has at a time, for as long as it is renewed. */
export interface Lease {
  readonly key: string;
  readonly owner: string;
  /** Fencing token: larger than that of every owner before, as long as the server forgets nothing. */
  readonly token: number;
}

/**
 * The lease, or null while another owner has it. Asked again by the owner that has it, it is prolonged and keeps its
 * token, so a request that is sent again does no harm.
 *
 * @param owner  random, of one attempt to own it
 * @param ttlMs  it ends by itself so long after the last renewal, on the server's clock
 */
export async function acquireLease(
  connection: RedisConnection,
  key: string,
  owner: string,
  ttlMs: number,
): Promise<Lease | null> {
  const token = Number(await connection.evaluate(ACQUIRE, [key, tokenKey(key)], [owner, ttlMs]));
  return token === 0 ? null : { key, owner, token };
}

/** True when the lease was still held and is now held for `ttlMs` more. */
export async function renewLease(connection: RedisConnection, lease: Lease, ttlMs: number): Promise<boolean> {
  return Number(await connection.evaluate(RENEW, [lease.key], [lease.owner, lease.token, ttlMs])) === 1;
}

/** Gives the lease back; nothing happens when it is not held any more. */
export async function releaseLease(connection: RedisConnection, lease: Lease): Promise<void> {
  await connection.evaluate(RELEASE, [lease.key], [lease.owner, lease.token]);
}

/** What holds the last token, and has to go with the lease. */
export const tokenKey = (key: string): string => `${key}:token`;

// A lease is a record as compare-and-set guards compare them: its version is "owner token".
const ACQUIRE: Script = {
  name: "acquire-lease",
  lua: `
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return 0 end
local token = owner and redis.call('HGET', KEYS[1], 'token') or redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', token, 'version', ARGV[1] .. ' ' .. token)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tonumber(token)
`,
};

const HELD = `redis.call('HGET', KEYS[1], 'version') == ARGV[1] .. ' ' .. ARGV[2]`;
const RENEW: Script = {
  name: "renew-lease",
  lua: `if ${HELD} then return redis.call('PEXPIRE', KEYS[1], ARGV[3]) end return 0`,
};
const RELEASE: Script = {
  name: "release-lease",
  lua: `if ${HELD} then return redis.call('DEL', KEYS[1]) end return 0`,
};

/** The guard with which a compare-and-set demands that this lease is still held. */
export const leaseGuard = ({ key, owner, token }: Lease): { readonly key: string; readonly version: string } => ({
  key,
  version: `${owner} ${token}`,
});
