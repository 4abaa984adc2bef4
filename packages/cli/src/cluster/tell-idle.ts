import type { JobQueue } from "@gmc/jobs";
import { readCluster } from "@gmc/jobs";
import type { Context } from "../context.ts";

/** Says when nobody is there to do a job: it waits, and whoever watches it should know why. */
export async function tellIdle({ output }: Context, queue: JobQueue): Promise<void> {
  const { coordinator, workers } = await readCluster(queue);
  if (coordinator === null)
    output.say("No coordinator leads this cluster: jobs wait until one runs (gmc coordinator).");
  else if (workers.length === 0) output.say("No worker is alive in this cluster: jobs wait until one is (gmc worker).");
}
