import { z } from "zod";

/** How the workers of a run exchange what they computed. */
export const ClusterConfig = z
  .strictObject({
    wire: z
      .enum(["fp32", "bf16"])
      .default("fp32")
      .describe(
        "How gradients travel. bf16 halves the bytes and rounds every shard's gradient and every sum, on one worker too: it changes the weights.",
      ),
    chunkKiB: z
      .number()
      .int()
      .min(16)
      .max(65_536)
      .default(1024)
      .describe("KiB of gradient in a message. The weights do not depend on it."),
    timeoutMs: z
      .number()
      .int()
      .min(100)
      .default(60_000)
      .describe("A worker that keeps the others waiting for so long is given up."),
    allowMixed: z
      .boolean()
      .default(false)
      .describe(
        "Lets workers take part whose software or processor differs from the first ones': the weights may then depend on who computed what.",
      ),
  })
  .readonly();

export type ClusterConfig = z.infer<typeof ClusterConfig>;
