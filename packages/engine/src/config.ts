import { z } from "zod";

/** What runs a model, and on how much of the machine. */
export const EngineConfig = z
  .strictObject({
    kind: z
      .literal("onnxruntime")
      .default("onnxruntime")
      .describe("What runs the compiled model: onnxruntime on the CPU."),
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
      .describe("Threads that compute one model; 0 is one a core. The results do not depend on it."),
  })
  .readonly();

export type EngineConfig = z.infer<typeof EngineConfig>;
