import { EncoderConfig } from "../config.ts";
import type { ModalityInfo } from "../modality.ts";
import type { Trunk } from "../scope.ts";
import { conv2dTrunk } from "./conv2d.ts";
import { linearTrunk } from "./linear.ts";
import { mlpTrunk } from "./mlp.ts";
import { moduleTrunk } from "./module.ts";
import { spectrogramTrunk } from "./spectrogram.ts";

const defaultKinds = { image: "conv2d", spectrogram: "spectrogram", vector: "mlp", label: "linear" } as const;

/** The encoder a modality of this kind gets when the configuration names none. */
export const defaultEncoder = (kind: ModalityInfo["kind"]): EncoderConfig =>
  EncoderConfig.parse({ kind: defaultKinds[kind] });

/**
 * The trunk an encoder's configuration describes.
 *
 * @param path    the configuration key, for messages
 * @param folder  where a module's relative path starts
 * @throws {ConfigError} when the encoder does not fit the modality
 */
export async function buildTrunk(
  config: EncoderConfig,
  modality: ModalityInfo,
  path: string,
  folder: string,
): Promise<Trunk> {
  switch (config.kind) {
    case "conv2d":
      return conv2dTrunk(config, modality, path);
    case "spectrogram":
      return spectrogramTrunk(config, modality, path);
    case "mlp":
      return mlpTrunk(config, modality);
    case "linear":
      return linearTrunk(modality);
    case "module":
      return moduleTrunk(config, modality, path, folder);
    default:
      return config satisfies never;
  }
}
