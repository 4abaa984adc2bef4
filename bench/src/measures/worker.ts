import { runWorker } from "@gmc/worker";

export interface WorkerArguments {
  readonly redis: string;
  readonly id: string;
}

/** A worker of a cluster, as `gmc worker` is one, until it is ended or killed. */
export async function measureWorker({ redis, id }: WorkerArguments): Promise<void> {
  await runWorker({ redis, id, threads: 1 }).done;
}
