import type { Shape } from "@gmc/core";

/** What a model must know about one modality of a data set. */
export interface ModalityInfo {
  readonly name: string;
  readonly kind: "image" | "spectrogram" | "vector" | "label";
  /** One sample, channels last: image [height, width, channels], spectrogram [frames, bands, 1], vector [length], label [classes]. */
  readonly shape: Shape;
}
