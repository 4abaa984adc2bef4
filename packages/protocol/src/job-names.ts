/** Queues and jobs by name; every key of theirs begins with `prefix`. */
export const jobNames = {
  prefix: "gmc:queue",
  /** One configuration to train and evaluate. */
  train: "train",
  /** Configurations × seeds, and the aggregate over them. */
  sweep: "sweep",
  /** The job itself, and its lines of log, which go with it; the queue's own names for them. */
  job: (id: string): string => `gmc:queue:train:${id}`,
  logs: (id: string): string => `gmc:queue:train:${id}:logs`,
} as const;
