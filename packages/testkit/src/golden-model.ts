import type { Model, Shape } from "@gmc/core";

/** Section `model` of a configuration, as the golden models need it. */
export interface GoldenConfig {
  readonly modalities: {
    readonly image: { readonly encoder: { readonly kind: "conv2d"; readonly channels: number[] } };
    readonly sound: { readonly encoder: { readonly kind: "spectrogram"; readonly channels: number[] } };
    readonly trajectory: { readonly encoder: { readonly kind: "mlp"; readonly widths: number[] } };
    readonly label: { readonly encoder: { readonly kind: "linear" } };
  };
  readonly commonDim: number;
  readonly latentDim: number;
  readonly head: { readonly widths: number[] };
}

/** One modality of a golden model; `kind` and `shape` as `models` wants them. */
export interface GoldenModality {
  readonly name: string;
  readonly kind: "image" | "spectrogram" | "vector" | "label";
  readonly shape: Shape;
  /** What the trunk flattens: channels last in our order, channels first in PyTorch's. */
  readonly flattened: Shape;
}

/** A model whose PyTorch twin wrote golden files. */
export interface GoldenModel {
  readonly config: GoldenConfig;
  /** In the order of the embeddings. */
  readonly modalities: readonly GoldenModality[];
}

const golden = (
  config: GoldenConfig,
  image: Shape,
  sound: Shape,
  trajectory: number,
  classes: number,
): GoldenModel => ({
  config,
  modalities: [
    {
      name: "image",
      kind: "image",
      shape: image,
      flattened: convolved(image, config.modalities.image.encoder.channels, 2),
    },
    {
      name: "sound",
      kind: "spectrogram",
      shape: sound,
      flattened: convolved(sound, config.modalities.sound.encoder.channels, 1),
    },
    {
      name: "trajectory",
      kind: "vector",
      shape: [trajectory],
      flattened: [config.modalities.trajectory.encoder.widths.at(-1) ?? 0],
    },
    { name: "label", kind: "label", shape: [classes], flattened: [classes] },
  ],
});

/** Shape behind the convolutions: both axes halved by each one, or the first axis by all but the first and the second spanned. */
function convolved([rows = 0, columns = 0]: Shape, channels: readonly number[], halvedAxes: 1 | 2): Shape {
  const last = channels.at(-1) ?? 0;
  if (halvedAxes === 1) return [rows / 2 ** (channels.length - 1), 1, last];
  return [rows / 2 ** channels.length, columns / 2 ** channels.length, last];
}

/** The narrow GMC of `small-model.safetensors`; batches of 12 in 1 or 4 shards. */
export const goldenSmall: GoldenModel = golden(
  {
    modalities: {
      image: { encoder: { kind: "conv2d", channels: [4, 8] } },
      sound: { encoder: { kind: "spectrogram", channels: [6, 6, 12] } },
      trajectory: { encoder: { kind: "mlp", widths: [24, 24] } },
      label: { encoder: { kind: "linear" } },
    },
    commonDim: 10,
    latentDim: 12,
    head: { widths: [32, 32] },
  },
  [12, 12, 1],
  [16, 16, 1],
  20,
  4,
);

/** The paper's model, 2,884,224 parameters, of `train-step*.safetensors` and `five-adam-steps.safetensors`; batches of 16. */
export const goldenMhd: GoldenModel = golden(
  {
    modalities: {
      image: { encoder: { kind: "conv2d", channels: [64, 128] } },
      sound: { encoder: { kind: "spectrogram", channels: [128, 128, 256] } },
      trajectory: { encoder: { kind: "mlp", widths: [512, 512] } },
      label: { encoder: { kind: "linear" } },
    },
    commonDim: 64,
    latentDim: 64,
    head: { widths: [512, 512] },
  },
  [28, 28, 1],
  [32, 128, 1],
  200,
  10,
);

/** `build` is `models`' buildModel: the testkit imports nothing above core. */
export type BuildModel = (config: GoldenConfig, modalities: readonly GoldenModality[]) => Promise<Model>;

/** The model of `small-model.safetensors`. */
export const goldenSmallModel = (build: BuildModel): Promise<Model> =>
  build(goldenSmall.config, goldenSmall.modalities);

/** The model of the large golden files. */
export const goldenMhdModel = (build: BuildModel): Promise<Model> => build(goldenMhd.config, goldenMhd.modalities);
