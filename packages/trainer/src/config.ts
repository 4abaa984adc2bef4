import { ConfigError } from "@gmc/core";
import { z } from "zod";

const Fraction = z.number().min(0).max(1);
const Decay = z.number().min(0).lt(1);

const Optimizer = z
  .strictObject({
    kind: z
      .enum(["adam", "adamw"])
      .default("adam")
      .describe("adam, or adamw with decoupled weight decay (Loshchilov & Hutter 2019)."),
    learningRate: z.number().positive().default(1e-3).describe("Peak rate, reached after the warm-up."),
    beta1: Decay.default(0.9).describe("Decay of the first moment."),
    beta2: Decay.default(0.999).describe("Decay of the second moment."),
    epsilon: z.number().positive().default(1e-8).describe("Added to the root of the second moment."),
    weightDecay: z.number().min(0).default(0).describe("Decoupled, per unit of learning rate; adamw only."),
  })
  .readonly();

const Schedule = z.discriminatedUnion("kind", [
  z
    .strictObject({ kind: z.literal("constant") })
    .readonly()
    .describe("The peak rate throughout."),
  z
    .strictObject({
      kind: z.literal("cosine"),
      warmupSteps: z.int().min(0).default(0).describe("Steps of linear rise from 0 to the peak rate."),
      finalFraction: Fraction.default(0).describe("The last rate as a fraction of the peak."),
    })
    .readonly()
    .describe("Linear warm-up, then half a cosine down to the last step of the last epoch."),
]);

/** The section `training` of a run's configuration. */
export const TrainingConfig = z
  .strictObject({
    batchSize: z.int().positive().default(64).describe("Samples of the global batch, B."),
    shards: z
      .int()
      .positive()
      .default(1)
      .describe("Logical shards of a batch, V; must divide batchSize. Each has batch-norm statistics of its own."),
    epochs: z.int().positive().default(100).describe("Passes over the training samples."),
    optimizer: Optimizer.prefault({}),
    schedule: Schedule.prefault({ kind: "constant" }).describe("How the learning rate changes over the run."),
    clipNorm: z
      .number()
      .positive()
      .optional()
      .describe("Scale the gradient down to this 2-norm when it is longer; absent: never."),
    lastBatch: z
      .enum(["drop", "keep"])
      .default("drop")
      .describe("An epoch's incomplete last batch; kept only if shards divides it with two rows or more a shard."),
    validation: z
      .strictObject({
        fraction: z
          .number()
          .min(0)
          .lt(1)
          .default(0)
          .describe("Training samples held out, drawn by the seed; their loss is taken after every epoch. 0: none."),
      })
      .readonly()
      .prefault({}),
    earlyStop: z
      .strictObject({
        patienceEpochs: z
          .int()
          .min(0)
          .default(0)
          .describe(
            "Stop after so many epochs without a lower validation loss (without validation: training loss). 0: off.",
          ),
      })
      .readonly()
      .prefault({}),
    checkpoint: z
      .strictObject({
        everyEpochs: z.int().positive().default(1).describe("Epochs between checkpoints; the end always leaves one."),
      })
      .readonly()
      .prefault({}),
    digestEverySteps: z
      .int()
      .positive()
      .default(200)
      .describe("Steps between comparisons of the workers' weights, where several train together."),
    metrics: z
      .strictObject({
        everySteps: z.int().min(0).default(50).describe("Steps between lines in metrics.jsonl; 0: one an epoch only."),
      })
      .readonly()
      .prefault({}),
  })
  .readonly();

export type TrainingConfig = z.infer<typeof TrainingConfig>;

/**
 * What a schema of single values cannot say.
 *
 * @throws {ConfigError} when two values contradict each other; `details.path` names one
 */
export function checkTrainingConfig({ batchSize, shards, optimizer }: TrainingConfig): void {
  if (batchSize % shards !== 0) {
    throw new ConfigError(
      `training.shards must divide training.batchSize (${batchSize}), received ${shards}; nearest: ${nearestDivisor(batchSize, shards)}.`,
      { path: "training.shards", batchSize, shards },
    );
  }
  if (optimizer.kind === "adam" && optimizer.weightDecay !== 0) {
    throw new ConfigError(
      `training.optimizer.weightDecay is decoupled: it needs training.optimizer.kind adamw, received adam with ${optimizer.weightDecay}.`,
      { path: "training.optimizer.weightDecay" },
    );
  }
}

function nearestDivisor(n: number, wanted: number): number {
  for (let distance = 0; distance < n; distance++) {
    if (wanted > distance && n % (wanted - distance) === 0) return wanted - distance;
    if (n % (wanted + distance) === 0) return wanted + distance;
  }
  return n;
}
