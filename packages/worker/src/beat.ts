import { setTimeout as delay } from "node:timers/promises";
import { UsageError } from "@gmc/core";
import type { WorkerAssignment, WorkerReport } from "@gmc/protocol";
import { clusterKeys } from "@gmc/protocol";
import type { RedisConnection, Script } from "@gmc/redis";

/** An assignment that its worker renews no more goes after so long. */
const ASSIGNMENT_TTL_MS = 60_000;

/** Says how the worker is, and gives what it has to do; null where nobody has said. */
export async function beat(
  control: RedisConnection,
  report: WorkerReport,
  ttlMs: number,
): Promise<WorkerAssignment | null> {
  const { id } = report;
  const keys = [clusterKeys.worker(id), clusterKeys.workers, clusterKeys.assignment(id)];
  const answer = await control.evaluate(BEAT, keys, [JSON.stringify(report), ttlMs, id, ASSIGNMENT_TTL_MS]);
  return answer === "" ? null : (JSON.parse(String(answer)) as WorkerAssignment);
}

/**
 * Makes sure that nobody else has this id: one that died a moment ago is waited for until its time to live is over.
 *
 * @throws {UsageError} when another process goes on beating under it
 */
export async function claimId(control: RedisConnection, id: string, ttlMs: number): Promise<void> {
  const deadline = performance.now() + 2 * ttlMs;
  for (;;) {
    const text = await control.command(["GET", clusterKeys.worker(id)]);
    if (typeof text !== "string") break;
    const { host, pid } = JSON.parse(text) as WorkerReport;
    if (performance.now() > deadline) {
      throw new UsageError(`A worker ${id} is alive already (process ${pid} on ${host}); give this one another --id.`, {
        id,
      });
    }
    await delay(ttlMs / 10);
  }
  await control.command(["DEL", clusterKeys.assignment(id)]); // it was for the one before
}

/** Takes the worker off the list. */
export async function signOff(control: RedisConnection, id: string): Promise<void> {
  await control.command(["SREM", clusterKeys.workers, id]);
  await control.command(["DEL", clusterKeys.worker(id), clusterKeys.assignment(id)]);
}

const BEAT: Script = {
  name: "worker-beat",
  lua: `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[3])
local assignment = redis.call('GET', KEYS[3])
if not assignment then return '' end
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return assignment
`,
};
