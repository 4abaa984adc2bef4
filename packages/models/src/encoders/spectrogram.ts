import { ConfigError } from "@gmc/core";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { batchNorm, batchNormBuffers, batchNormParameters } from "../batch-norm.ts";
import type { EncoderConfig } from "../config.ts";
import { convParameters, flatten } from "../layers.ts";
import type { ModalityInfo } from "../modality.ts";
import type { Scope, Trunk } from "../scope.ts";

/** Frames a time convolution sees, and its step. */
const KERNEL = 4;
const STRIDE = 2;

/**
 * Sound trunk: the first convolution spans every band of one frame, the others see 4 frames and halve them; batch norm
 * and ReLU after each; flattened frame by frame with channels fastest.
 *
 * @throws {ConfigError} when the modality is no spectrogram, or too short for its convolutions
 */
export function spectrogramTrunk(
  { channels }: Extract<EncoderConfig, { kind: "spectrogram" }>,
  modality: ModalityInfo,
  path: string,
): Trunk {
  const { name, shape } = modality;
  const [frames = 0, bands = 0, depth = 1] = shape;
  if (shape.length < 2 || shape.length > 3) {
    throw new ConfigError(
      `${path}: spectrogram needs samples [frames, bands, channels], modality "${name}" has [${shape}]; use mlp or linear.`,
      { path, modality: name, shape },
    );
  }
  let length = frames;
  const parameters = channels.flatMap((filters, i) => {
    const previous = channels[i - 1];
    if (previous !== undefined) {
      if (length < KERNEL) {
        throw new ConfigError(
          `${path}: the spectrogram "${name}" [${shape}] is too short: convolution ${i + 1} of ${channels.length} sees ` +
            `${length} frames, its kernel has ${KERNEL}; use fewer channels.`,
          { path, modality: name, shape },
        );
      }
      length = Math.ceil(length / STRIDE);
    }
    const kernel =
      previous === undefined ? ([1, bands, depth, filters] as const) : ([KERNEL, 1, previous, filters] as const);
    return [...convParameters(`conv${i}`, kernel), ...batchNormParameters(`norm${i}`, filters)];
  });
  return {
    parameters,
    buffers: channels.flatMap((filters, i) => batchNormBuffers(`norm${i}`, filters)),
    width: length * (channels.at(-1) ?? 0),
    apply(x, scope) {
      let hidden = tf.relu(batchNorm(spanBands(x, channels[0] ?? 0, scope), "norm0", scope));
      for (const i of channels.keys()) {
        if (i === 0) continue;
        const kernel = scope.parameter(`conv${i}.weight`) as Tensor4D;
        hidden = tf.relu(batchNorm(tf.conv2d(hidden, kernel, [STRIDE, 1], "same"), `norm${i}`, scope));
      }
      return flatten(hidden);
    },
  };

  /** The first convolution as one product: a kernel that spans all bands sees every frame exactly once. [b, frames, 1, filters] */
  function spanBands(x: Tensor, filters: number, scope: Scope): Tensor4D {
    const rows = x.shape[0] ?? 0;
    const kernel = tf.reshape(scope.parameter("conv0.weight"), [bands * depth, filters]);
    const product = tf.matMul(tf.reshape(x, [rows * frames, bands * depth]), kernel);
    return tf.reshape(product, [rows, frames, 1, filters]);
  }
}
