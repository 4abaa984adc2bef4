import { z } from "zod";

const Classifier = z
  .strictObject({
    widths: z
      .array(z.int().positive())
      .default([256, 128])
      .readonly()
      .describe("Hidden units between code and classes, ReLU after each."),
    epochs: z.int().positive().default(50).describe("Passes over the training codes."),
    batchSize: z.int().positive().default(64).describe("Codes a step; fewer where there are fewer."),
    learningRate: z.number().positive().default(1e-3).describe("Adam's, constant."),
    lastBatch: z
      .enum(["drop", "keep"])
      .default("drop")
      .describe("An epoch's incomplete last batch; kept only when it has two codes or more."),
    samples: z
      .int()
      .positive()
      .optional()
      .describe("Training codes, drawn by the seed; absent: all of the training split."),
  })
  .readonly();

/** The section `evaluation` of a run's configuration. */
export const EvaluationConfig = z
  .strictObject({
    classifier: Classifier.prefault({}).describe("Trained on joint codes of the frozen model, where there are labels."),
    subsets: z
      .union([z.enum(["singles", "all"]), z.array(z.array(z.string()).min(1).readonly()).readonly()])
      .default("singles")
      .describe("What is evaluated beside the complete sample and every single modality: lists of names, or all."),
    retrieval: z
      .strictObject({
        samples: z
          .int()
          .min(2)
          .default(5000)
          .describe("Candidates at most, drawn by the seed; every pair of codes is compared."),
      })
      .readonly()
      .prefault({})
      .describe("Recall of a sample from another modality's code, where there are no labels."),
    rows: z.int().positive().default(256).describe("Samples encoded at a time."),
  })
  .readonly();

export type EvaluationConfig = z.infer<typeof EvaluationConfig>;
