import { availableParallelism } from "node:os";
import { z } from "zod";

/** What runs a model, and on how much of the machine. */
export const EngineConfig = z
  .strictObject({
    kind: z.literal("onnxruntime").default("onnxruntime").describe("What runs the compiled model: onnxruntime."),
    device: z
      .enum(["cpu", "webgpu", "cuda", "auto"])
      .default("cpu")
      .describe(
        "What computes: the CPU, any graphics card (webgpu), NVIDIA's where onnxruntime's CUDA library was installed, or auto: cuda, else webgpu on a real card, else cpu. The bits of a run are promised for one device.",
      ),
    runner: z
      .enum(["auto", "c-api", "onnxruntime-node"])
      .default("auto")
      .describe(
        "How onnxruntime is called: its C API without copies, the npm package's own binding, or the first where it loads. The results do not depend on it.",
      ),
    threads: z
      .number()
      .int()
      .min(0)
      .max(1024)
      .default(0)
      .describe("Threads that compute, all replicas together; 0 is one a core. The results do not depend on it."),
    replicas: z
      .union([z.literal("auto"), z.int().min(1).max(1024)])
      .default("auto")
      .describe(
        "Shards of a batch that are computed at once, each on threads / replicas of the threads, one at least; auto goes by threads and shards. More than 4 need UV_THREADPOOL_SIZE. The results do not depend on it.",
      ),
  })
  .readonly();

export type EngineConfig = z.infer<typeof EngineConfig>;

/** Node makes asynchronous native calls on so many threads, unless UV_THREADPOOL_SIZE says otherwise when it starts. */
const NATIVE_CALLS_AT_ONCE = 4;

/**
 * How many of V shards are computed at once: what was asked for, at most V. `auto` is the largest number that divides V,
 * so that no thread is idle at the end, and that threads and Node's native calls allow (measured: docs/0004-replicas.md).
 */
export function replicasFor({ replicas, threads }: EngineConfig, shards: number): number {
  if (replicas !== "auto") return Math.min(replicas, shards);
  const most = Math.min(shards, threads || availableParallelism(), NATIVE_CALLS_AT_ONCE);
  for (let count = most; count > 1; count--) if (shards % count === 0) return count;
  return 1;
}
