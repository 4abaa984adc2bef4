import { availableParallelism } from "node:os";
import { ConfigError } from "@gmc/core";
import { z } from "zod";

/** What onnxruntime computes on. */
export type OnnxDevice = "cpu" | "webgpu" | "cuda" | "auto";
/** What TensorFlow computes on: `gpu:N` is NVIDIA's card number N, `auto` the first card that works, else the CPU. */
export type TensorflowDevice = "cpu" | "auto" | `gpu:${number}`;

export const isTensorflowDevice = (device: OnnxDevice | TensorflowDevice): device is TensorflowDevice =>
  device === "cpu" || device === "auto" || /^gpu:\d+$/.test(device);
export const isOnnxDevice = (device: OnnxDevice | TensorflowDevice): device is OnnxDevice => !device.startsWith("gpu:");

/** Kind and device where a configuration names none. */
const standard: { kind: "onnxruntime" | "tensorflow"; device: OnnxDevice | TensorflowDevice } = {
  kind: "onnxruntime",
  device: "cpu",
};

/**
 * Another kind, another device, where a configuration names none: what an image is made for.
 *
 * @throws {ConfigError} when they do not go together
 */
export function useEngineDefaults(defaults: { readonly kind?: string; readonly device?: string }): void {
  const { data, error } = EngineConfig.safeParse(defaults);
  if (!data) {
    const wanted = error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
    throw new ConfigError(`The engine's defaults are wrong: ${wanted}; received ${JSON.stringify(defaults)}.`, {
      path: "engine",
    });
  }
  standard.kind = data.kind;
  standard.device = data.device;
}

/** What runs a model, and on how much of the machine. */
export const EngineConfig = z
  .strictObject({
    kind: z
      .enum(["onnxruntime", "tensorflow"])
      .default(() => standard.kind)
      .describe(
        "What runs the model: onnxruntime, compiled, or TensorFlow, op by op, which `npm run setup:tensorflow` gets. Each has bits of its own.",
      ),
    device: z
      .union([
        z.enum(["cpu", "webgpu", "cuda", "auto"]),
        z.templateLiteral(["gpu:", z.int().min(0)], "gpu:N, NVIDIA's card number N"),
      ])
      .default(() => standard.device)
      .describe(
        "What computes: the CPU, any graphics card (webgpu), NVIDIA's where onnxruntime's CUDA library was installed, or auto: cuda, else webgpu on a real card, else cpu. TensorFlow has cpu, gpu:N for NVIDIA's card number N, and auto. The bits of a run are promised for one device.",
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
      .describe(
        "Threads that compute, all replicas together; 0 is one a core. The results do not depend on it, with TensorFlow but in their last bits.",
      ),
    replicas: z
      .union([z.literal("auto"), z.int().min(1).max(1024)])
      .default("auto")
      .describe(
        "Shards of a batch that are computed at once, each on threads / replicas of the threads, one at least; auto goes by threads and shards. More than 4 need UV_THREADPOOL_SIZE. The results do not depend on it.",
      ),
  })
  .check(({ value, issues }) => {
    const { kind, device } = value;
    const message =
      kind === "tensorflow"
        ? "cpu | gpu:N | auto, with engine.kind tensorflow"
        : "cpu | webgpu | cuda | auto, with engine.kind onnxruntime";
    if (!(kind === "tensorflow" ? isTensorflowDevice(device) : isOnnxDevice(device)))
      issues.push({ code: "custom", path: ["device"], input: value, message });
  })
  .readonly();

export type EngineConfig = z.infer<typeof EngineConfig>;

/** What of an engine's choice decides the bits of what it computes, as one text. */
export const engineBits = ({ kind, device, threads }: Pick<EngineConfig, "kind" | "device" | "threads">): string =>
  kind === "onnxruntime" ? device : `${kind} ${device} ${threads}`;

/** Node makes asynchronous native calls on so many threads, unless UV_THREADPOOL_SIZE says otherwise when it starts. */
const NATIVE_CALLS_AT_ONCE = 4;

/**
 * How many of V shards are computed at once: what was asked for, at most V. `auto` is the largest number that divides V,
 * so that no thread is idle at the end, and that threads and Node's native calls allow (measured: docs/0004-replicas.md).
 */
export function replicasFor({ kind, replicas, threads }: EngineConfig, shards: number): number {
  if (kind === "tensorflow") return 1; // its operations take turns, each on all threads
  if (replicas !== "auto") return Math.min(replicas, shards);
  const most = Math.min(shards, threads || availableParallelism(), NATIVE_CALLS_AT_ONCE);
  for (let count = most; count > 1; count--) if (shards % count === 0) return count;
  return 1;
}
