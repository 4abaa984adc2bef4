/** Names of what workers and coordinators keep on the control server beside the runs and the queue. */
export const clusterKeys = {
  /** Lease of the coordinator that leads. */
  leader: "gmc:leader",
  /** Set of the ids of workers, also of some that are gone. */
  workers: "gmc:workers",
  /** What a worker says of itself: JSON of a `WorkerReport`, there as long as the worker is. */
  worker: (id: string): string => `gmc:worker:${checkedId(id)}`,
  /** What a worker has to do: JSON of a `WorkerAssignment`. */
  assignment: (id: string): string => `gmc:worker:${checkedId(id)}:assignment`,
} as const;

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

function checkedId(id: string): string {
  if (ID.test(id)) return id;
  throw new RangeError(`The worker id ${JSON.stringify(id)} must be letters, digits, ".", "_" or "-", at most 128.`);
}
