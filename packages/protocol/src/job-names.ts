/** Queues and jobs by name; every key of theirs begins with `prefix`. */
export const jobNames = {
  prefix: "gmc:queue",
  /** One configuration to train and evaluate. */
  train: "train",
  /** Configurations × seeds, and the aggregate over them. */
  sweep: "sweep",
} as const;
