import { sizeOf } from "@gmc/core";
import type { EncoderConfig } from "../config.ts";
import { dense, denseParameters, flatten, swish } from "../layers.ts";
import type { ModalityInfo } from "../modality.ts";
import type { Trunk } from "../scope.ts";

/** Trunk for samples of any shape, flattened: dense layers, Swish after each. */
export function mlpTrunk({ widths }: Extract<EncoderConfig, { kind: "mlp" }>, { shape }: ModalityInfo): Trunk {
  const inputs = sizeOf(shape);
  return {
    parameters: widths.flatMap((width, i) => denseParameters(`dense${i}`, widths[i - 1] ?? inputs, width)),
    buffers: [],
    width: widths.at(-1) ?? inputs,
    apply: (x, scope) => widths.reduce((hidden, _, i) => swish(dense(hidden, `dense${i}`, scope)), flatten(x)),
  };
}
