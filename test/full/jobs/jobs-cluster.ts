import type { JobQueue } from "@gmc/jobs";
import { openQueue } from "@gmc/jobs";
import type { RedisServer } from "@gmc/testkit";
import { startRedisServer } from "@gmc/testkit";
import type { Running } from "../../e2e/gmc.ts";
import { start } from "../../e2e/gmc.ts";

/** A Redis, `gmc coordinator` and `gmc worker` processes of a test's own, all in one folder. */
export class JobsCluster {
  readonly server: RedisServer;
  /** For looking often: a command each time would take longer than what is looked at. */
  readonly queue: JobQueue;
  readonly workers = new Map<string, Running>();
  coordinator: Running | undefined;
  readonly #folder: string;
  #named = 0;

  private constructor(server: RedisServer, queue: JobQueue, folder: string) {
    this.server = server;
    this.queue = queue;
    this.#folder = folder;
  }

  static async start(folder: string, workers: number): Promise<JobsCluster> {
    const server = await startRedisServer({ config: { appendonly: "yes" } });
    const cluster = new JobsCluster(server, await openQueue(server.url), folder);
    await Promise.all([cluster.startCoordinator(), ...Array.from({ length: workers }, () => cluster.addWorker())]);
    return cluster;
  }

  /** For any command of `gmc`. */
  get redis(): readonly string[] {
    return ["--redis", this.server.url];
  }

  async startCoordinator(more: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Running> {
    const args = ["coordinator", ...this.redis, ...more];
    const coordinator = start(args, this.#folder, { GMC_LOG: "info", ...env });
    this.coordinator = coordinator;
    await coordinator.shows(/coordinator\.ready/);
    return coordinator;
  }

  async addWorker(more: readonly string[] = []): Promise<string> {
    const id = `w${++this.#named}`;
    const args = ["worker", ...this.redis, "--id", id, "--threads", "1", ...more];
    const worker = start(args, this.#folder, { GMC_LOG: "info" });
    this.workers.set(id, worker);
    await worker.shows(/worker\.ready/);
    return id;
  }

  /** SIGKILL, and waits until the process is gone. */
  async kill(process: Running | undefined): Promise<void> {
    process?.child.kill("SIGKILL");
    await process?.ended;
  }

  async killWorker(id: string): Promise<void> {
    await this.kill(this.workers.get(id));
    this.workers.delete(id);
  }

  /** Names of keys that are neither the queue's nor those of workers and coordinators. */
  async strayKeys(): Promise<readonly string[]> {
    const keys = (await this.queue.control.command(["KEYS", "*"])) as string[];
    return keys.filter((key) => !/^gmc:(queue:|worker|leader)/.test(key)).sort();
  }

  async close(): Promise<void> {
    for (const process of [...this.workers.values(), ...(this.coordinator ? [this.coordinator] : [])]) {
      await this.kill(process);
    }
    await this.queue.close();
    await this.server.close();
  }
}
