import { z } from "zod";

/** The `data` section of a run's configuration. */
export const DataConfig = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .describe(
        "Folder of the data set, as `gmc data` makes it, or the http:// URL of one that `gmc data serve` serves.",
      ),
    trainSplit: z.string().default("train").describe("Split to train on."),
    testSplit: z.string().default("test").describe("Split to evaluate on."),
    threads: z
      .int()
      .min(0)
      .max(64)
      .default(1)
      .describe("Threads that read and decode training batches; 0 does it on the main thread. Never changes a bit."),
    prefetch: z.int().min(1).max(1024).default(4).describe("Training batches held ready ahead of the step."),
  })
  .readonly();

export type DataConfig = z.infer<typeof DataConfig>;
