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

const Alignment = z
  .strictObject({
    rays: z.int().min(1).max(65535).default(10_000).describe("Random lines through every point (T)."),
    samples: z
      .int()
      .positive()
      .default(10_000)
      .describe("Test samples at most, drawn by the seed without replacement."),
    seed: z.int().min(0).optional().describe("Of the drawn samples and of the lines; absent: the run's."),
    sphereCoverage: z
      .number()
      .positive()
      .max(1)
      .default(1)
      .describe("Below 1 a point keeps its shortest edges until they cover this share of directions."),
    minClusterSize: z.int().min(2).default(10).describe("Points that a component has at least."),
    componentConsistency: z
      .number()
      .min(0)
      .lt(1)
      .default(0)
      .describe("A component is fundamental when its consistency is above this, and its quality above the next."),
    componentQuality: z.number().min(0).lt(1).default(0).describe("See componentConsistency."),
    decimals: z
      .int()
      .min(0)
      .max(7)
      .default(4)
      .describe("A modality with few different codes is judged by these, rounded to so many decimals, each once."),
    threads: z.int().min(0).max(1024).default(0).describe("0 is one a core. The result does not depend on it."),
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
    alignment: Alignment.prefault({}).describe(
      "Delaunay component analysis: do codes of one modality lie where complete ones lie?",
    ),
    rows: z.int().positive().default(256).describe("Samples encoded at a time."),
  })
  .readonly();

export type EvaluationConfig = z.infer<typeof EvaluationConfig>;
