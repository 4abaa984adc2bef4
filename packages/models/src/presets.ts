import type { ModalityConfig } from "./config.ts";

/** Encoders of published models, by the name a configuration uses. */
export const presets: Readonly<Record<"mhd", Readonly<Record<string, ModalityConfig>>>> = {
  /** Poklukar et al. 2022, Multimodal Handwritten Digits: 2,884,224 parameters with the default widths. */
  mhd: {
    image: { encoder: { kind: "conv2d", channels: [64, 128], kernel: 4, stride: 2 } },
    sound: { encoder: { kind: "spectrogram", channels: [128, 128, 256] } },
    trajectory: { encoder: { kind: "mlp", widths: [512, 512] } },
    label: { encoder: { kind: "linear" } },
  },
};
