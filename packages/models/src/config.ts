import { z } from "zod";

const width = z.number().int().positive();
const widths = z.array(width);

const Conv2dEncoder = z
  .strictObject({
    kind: z.literal("conv2d"),
    channels: widths.min(1).default([64, 128]).describe("Filters of each convolution, in order."),
    kernel: z.number().int().positive().default(4).describe("Height and width of every kernel, in pixels."),
    stride: z.number().int().positive().default(2).describe("Step of every convolution, in pixels."),
  })
  .readonly()
  .describe("Image: convolutions padded 'same' without bias, Swish after each.");

const SpectrogramEncoder = z
  .strictObject({
    kind: z.literal("spectrogram"),
    channels: widths
      .min(1)
      .default([128, 128, 256])
      .describe("Filters of each convolution: the first spans all bands of one frame, the others halve the frames."),
  })
  .readonly()
  .describe("Sound: convolutions over time without bias, batch norm and ReLU after each.");

const MlpEncoder = z
  .strictObject({
    kind: z.literal("mlp"),
    widths: widths.min(1).default([512, 512]).describe("Units of each dense layer, in order."),
  })
  .readonly()
  .describe("Any shape, flattened: dense layers, Swish after each.");

const LinearEncoder = z
  .strictObject({ kind: z.literal("linear") })
  .readonly()
  .describe(
    "Any shape, flattened: the projection to the common space alone; the joint encoder sees the values as they are.",
  );

const ModuleEncoder = z
  .strictObject({
    kind: z.literal("module"),
    path: z.string().min(1).describe("ES module that exports createTrunk; relative to the configuration's folder."),
    options: z.record(z.string(), z.unknown()).default({}).describe("Handed to createTrunk as it is."),
  })
  .readonly()
  .describe("A trunk of your own; see the README of @gmc/models.");

/** How one modality becomes features, by `kind`. */
export const EncoderConfig = z.discriminatedUnion("kind", [
  Conv2dEncoder,
  SpectrogramEncoder,
  MlpEncoder,
  LinearEncoder,
  ModuleEncoder,
]);
export type EncoderConfig = z.output<typeof EncoderConfig>;

const ModalityConfig = z
  .strictObject({
    encoder: EncoderConfig.optional().describe(
      "Base encoder; absent: conv2d for an image, spectrogram for a spectrogram, mlp for a vector, linear for a label.",
    ),
    jointEncoder: EncoderConfig.optional().describe("The joint encoder's own trunk for it; absent: as `encoder`."),
  })
  .readonly();
export type ModalityConfig = z.output<typeof ModalityConfig>;

/** Section `model` of a run's configuration. */
export const ModelConfig = z
  .strictObject({
    preset: z
      .enum(["mhd"])
      .optional()
      .describe("A published set of encoders; `mhd` is the paper's for image, sound, trajectory and label."),
    modalities: z
      .record(z.string(), ModalityConfig)
      .optional()
      .describe("Modalities to use, in the order of the embeddings; absent: all of the data set, default encoders."),
    commonDim: width.default(64).describe("Width of the common space between the encoders and the head."),
    latentDim: width.default(64).describe("Width of a code."),
    head: z
      .strictObject({ widths: widths.default([512, 512]).describe("Hidden units of each layer; Swish after each.") })
      .readonly()
      .prefault({})
      .describe("The projection head all encoders share."),
    loss: z
      .enum(["nt_xent", "negatives_only", "joints_as_negatives"])
      .default("nt_xent")
      .describe("Contrastive loss; formulas in the README of @gmc/models."),
    temperature: z.number().positive().default(0.1).describe("τ of the contrastive loss, dimensionless."),
  })
  .readonly();
/** Validated. */
export type ModelConfig = z.output<typeof ModelConfig>;
/** As a user writes it: what has a default may be absent. */
export type ModelConfigInput = z.input<typeof ModelConfig>;
