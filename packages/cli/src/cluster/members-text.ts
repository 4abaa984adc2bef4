import type { JobMember } from "@gmc/jobs";

/** "2 workers: alpha (shards 0, 1), beta (shard 2)" */
export function membersText(members: readonly JobMember[]): string {
  const each = members.map(
    ({ host, shards }) => `${host} (shard${shards.length === 1 ? "" : "s"} ${shards.join(", ")})`,
  );
  return `${counted(members.length, "worker")}: ${each.join(", ")}`;
}

/** "1 worker", "2 workers" */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
