import type { RedisConnection, Script } from "./connection.ts";

/** A record that is only ever replaced by compare-and-set. */
export interface VersionedRecord {
  /** What a proposal compares with; never empty. */
  readonly version: string;
  /** Id of the proposal that wrote it. */
  readonly proposal: string;
  readonly value: string;
  /** What the captured record was when this one was written; null where there was none, or none was captured. */
  readonly captured: { readonly version: string; readonly value: string } | null;
}

export interface Proposal {
  readonly key: string;
  /** The version that has to be there; null for no record at all. */
  readonly expected: string | null;
  readonly version: string;
  /** Random, and the same when it is sent again. */
  readonly proposal: string;
  readonly value: string;
  /** Records that must have these versions in the same moment; null for a record that must be absent. */
  readonly guards?: readonly { readonly key: string; readonly version: string | null }[];
  /** A record whose version and value are written down with this one, as they are in the same moment. */
  readonly capture?: string;
}

/**
 * `set`: written now. `done`: it was written before, by this very proposal. `lost`: another version is there.
 * `guarded`: a guard's version is another one, `guard` says which.
 */
export type ProposalOutcome =
  | { readonly status: "set" | "done"; readonly record: VersionedRecord }
  | { readonly status: "lost"; readonly record: VersionedRecord | null }
  | { readonly status: "guarded"; readonly guard: string; readonly record: VersionedRecord | null };

/**
 * Replaces a record if it has the expected version. A proposal that is sent again, because the answer was lost with the
 * connection, answers "done" instead of looking like a defeat. For that the answer is looked up before any guard: what
 * was accepted stays accepted.
 */
export async function compareAndSet(connection: RedisConnection, proposal: Proposal): Promise<ProposalOutcome> {
  const { key, expected, version, value, guards = [], capture } = proposal;
  const keys = [key, ...(capture === undefined ? [] : [capture]), ...guards.map((guard) => guard.key)];
  const words = [
    expected ?? "",
    version,
    proposal.proposal,
    value,
    capture === undefined ? 0 : 1,
    ...guards.map((guard) => guard.version ?? ""),
  ];
  const reply = (await connection.evaluate(COMPARE_AND_SET, keys, words)) as [string, string, ...string[]];
  const [status, guard, ...fields] = reply;
  const record = recordOf(fields);
  if (status === "guarded") return { status, guard, record };
  if (status === "lost") return { status, record };
  if ((status === "set" || status === "done") && record) return { status, record };
  throw new Error(`compareAndSet: unexpected answer ${JSON.stringify(reply)}`);
}

/** The record at a key, or null. */
export async function readRecord(connection: RedisConnection, key: string): Promise<VersionedRecord | null> {
  const fields = (await connection.command(["HMGET", key, ...FIELDS])) as (string | null)[];
  return recordOf(fields.map((field) => field ?? ""));
}

const FIELDS = ["version", "proposal", "value", "capturedVersion", "capturedValue"] as const;

function recordOf([
  version = "",
  proposal = "",
  value = "",
  capturedVersion = "",
  capturedValue = "",
]: readonly string[]) {
  if (version === "") return null;
  const captured = capturedVersion === "" ? null : { version: capturedVersion, value: capturedValue };
  return { version, proposal, value, captured };
}

const COMPARE_AND_SET: Script = {
  name: "compare-and-set",
  lua: `
local function record(key)
  local fields = redis.call('HMGET', key, 'version', 'proposal', 'value', 'capturedVersion', 'capturedValue')
  for i = 1, 5 do fields[i] = fields[i] or '' end
  return fields
end
local function answer(status, guard, fields)
  return {status, guard, fields[1], fields[2], fields[3], fields[4], fields[5]}
end
local key, expected, version, proposal, value = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local captures = tonumber(ARGV[5])
local current = record(key)
if current[1] == version and current[2] == proposal then return answer('done', '', current) end
for i = 2 + captures, #KEYS do
  local found = redis.call('HGET', KEYS[i], 'version') or ''
  if found ~= ARGV[4 - captures + i] then return answer('guarded', found, current) end
end
if current[1] ~= expected then return answer('lost', '', current) end
local captured = {'', '', ''}
if captures == 1 then captured = record(KEYS[2]) end
redis.call('HSET', key, 'version', version, 'proposal', proposal, 'value', value,
  'capturedVersion', captured[1], 'capturedValue', captured[3])
return answer('set', '', record(key))
`,
};
