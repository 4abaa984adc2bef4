import type { LocalCluster } from "./local-cluster.ts";
import type { Service } from "./service.ts";

/**
 * A local cluster as a service.
 *
 * @param open     starts it
 * @param publish  makes it known once it is up; gives the function that takes that back
 */
export function clusterService(
  open: () => Promise<LocalCluster>,
  publish: (cluster: LocalCluster) => Promise<() => Promise<void>>,
): Service {
  const closing = new AbortController();
  const closed = new Promise<void>((resolve) => closing.signal.addEventListener("abort", () => resolve()));
  const published = up();
  const done = run();
  return {
    ready: published.then(() => {}),
    done,
    async close() {
      closing.abort();
      await done;
    },
  };

  async function up() {
    const cluster = await open();
    try {
      return { cluster, retract: await publish(cluster) };
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  async function run(): Promise<void> {
    const { cluster, retract } = await published;
    try {
      await Promise.race([closed, cluster.failed]);
    } finally {
      await cluster.close();
      await retract();
    }
  }
}
