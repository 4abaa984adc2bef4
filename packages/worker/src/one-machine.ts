import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * The cores that this process may use, divided among the workers that it is going to start: "0-3", "4-7" for each, as
 * `taskset -c` takes them. Left to the kernel, two workers' threads share one core for milliseconds while another idles,
 * and everybody waits for the slower (packages/collectives/docs/0005-two-workers-on-two-cores.md).
 *
 * @param threads  of each worker
 * @returns undefined for a single worker, where there are not enough cores for all threads, or where the system does not
 *   bind processes to cores
 */
export function coreShares(workers: number, threads: number): readonly string[] | undefined {
  if (workers < 2) return undefined;
  const cores = allowedCores();
  const each = Math.floor(cores.length / workers);
  if (each < threads) return undefined;
  const shares = Array.from({ length: workers }, (_, i) => cores.slice(i * each, (i + 1) * each).join(","));
  const { status } = spawnSync("taskset", ["-c", shares[0] ?? "", "true"], { stdio: "ignore" });
  return status === 0 ? shares : undefined;
}

/** A command line that keeps to these cores, and to whatever it is allowed without them. */
export const onCores = (cores: string | undefined, [program, ...args]: readonly [string, ...string[]]) =>
  cores === undefined ? { program, args } : { program: "taskset", args: ["-c", cores, program, ...args] };

/**
 * What a worker process of so many threads should have in its environment: with one computing thread libuv's pool has one
 * too, so that every program runs on the same one and finds its memory in the cache. Of four, which libuv wakes in turn,
 * each keeps temporary buffers of its own (packages/collectives/docs/0005-two-workers-on-two-cores.md). Files wait for a
 * program at most.
 */
export const workerEnvironment = (threads: number): Readonly<Record<string, string>> =>
  threads === 1 ? { UV_THREADPOOL_SIZE: "1" } : {};

/**
 * Redis servers for gradients that one machine starts beside so many workers. With one, the worker whose core it shares
 * comes late to every step while the other's core idles (packages/collectives/docs/0005-two-workers-on-two-cores.md).
 */
export const reduceServers = (workers: number): number => (workers > 1 ? 2 : 1);

/** Numbers of the cores that this process may use; none where the system does not say. */
function allowedCores(): readonly number[] {
  try {
    const [, list = ""] = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return coresOf(list);
  } catch {
    return [];
  }
}

/** "0-2,5" as numbers. */
export const coresOf = (list: string): readonly number[] =>
  list.split(",").flatMap((run) => {
    const [first = Number.NaN, last = first] = run.split("-").map(Number.parseFloat);
    return Array.from({ length: Math.max(0, last - first + 1) || 0 }, (_, i) => first + i);
  });
