import { ConfigError } from "@gmc/core";
import type { Tensor4D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { EncoderConfig } from "../config.ts";
import { convParameters, flatten, swish } from "../layers.ts";
import type { ModalityInfo } from "../modality.ts";
import type { Trunk } from "../scope.ts";

/**
 * Image trunk: convolutions padded 'same' without bias, Swish after each, flattened row by row with channels fastest.
 *
 * @throws {ConfigError} when the modality is no image, or an image smaller than a kernel at some depth
 */
export function conv2dTrunk(
  { channels, kernel, stride }: Extract<EncoderConfig, { kind: "conv2d" }>,
  modality: ModalityInfo,
  path: string,
): Trunk {
  const { name, shape } = modality;
  let [height = 0, width = 0, depth = 1] = shape;
  const size = [height, width, depth] as const;
  if (shape.length < 2 || shape.length > 3) {
    throw new ConfigError(
      `${path}: conv2d needs samples [height, width, channels], modality "${name}" has [${shape}]; use mlp or linear.`,
      { path, modality: name, shape },
    );
  }
  const parameters = channels.flatMap((filters, i) => {
    if (Math.min(height, width) < kernel) {
      throw new ConfigError(
        `${path}: the image "${name}" [${shape}] is too small: convolution ${i + 1} of ${channels.length} sees ` +
          `${height}×${width} pixels, its kernel has ${kernel}×${kernel}; use fewer channels or a smaller kernel.`,
        { path, modality: name, shape },
      );
    }
    const specs = convParameters(`conv${i}`, [kernel, kernel, depth, filters]);
    [height, width, depth] = [Math.ceil(height / stride), Math.ceil(width / stride), filters];
    return specs;
  });
  return {
    parameters,
    buffers: [],
    width: height * width * depth,
    apply(x, scope) {
      let hidden = tf.reshape(x, [x.shape[0] ?? 0, ...size]) as Tensor4D;
      for (const i of channels.keys()) {
        hidden = swish(tf.conv2d(hidden, scope.parameter(`conv${i}.weight`) as Tensor4D, stride, "same"));
      }
      return flatten(hidden);
    },
  };
}
